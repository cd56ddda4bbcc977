// A report as a few facts, by kind.
import type { Report } from '../../server/protocol/reports';
import {
  cost,
  counted,
  duration,
  loss,
  parameters,
  perplexity,
  share,
  signedShare,
  size,
  tokensPerSecond,
} from '../../server/shared/numbers';
import { dropSetInWords } from '../../server/shared/dropSets';

type Fact = readonly [name: string, value: string];

export function summaryOf(report: Report): Fact[] {
  return [...factsOf(report), ...('timing' in report ? lastFacts(report) : [])];
}

function factsOf(report: Report): Fact[] {
  switch (report.kind) {
    case 'analyze': {
      const costs = report.removals?.blocks.map(({ costNats }) => costNats) ?? [];
      const cheapest = costs.indexOf(Math.min(...costs));
      return [
        ['Loss', `${loss(report.lossNats)} nats, perplexity ${perplexity(report.perplexity)}`],
        [
          'Text',
          `${counted(report.source.nWindows, 'window')} of ${report.source.tokensPerWindow} tokens of ${report.source.files.map(({ name }) => name).join(', ')}`,
        ],
        ['Methods', counted(Object.keys(report.methods).length, 'method')],
        ...(costs.length > 0
          ? ([['Cheapest block', `${cheapest} (${cost(costs[cheapest]!)} nats without it)`]] as Fact[])
          : []),
        ...(report.greedy
          ? ([
              [
                'Greedy search',
                `${counted(report.greedy.steps.length, 'step')}, ${cost(report.greedy.steps.at(-1)?.costNats ?? 0)} nats`,
              ],
            ] as Fact[])
          : []),
      ];
    }
    case 'prune':
      return [
        ['Dropped', dropSetInWords({ blocks: report.dropSet, ...report.droppedSublayers })],
        ['Written to', report.out],
        [
          'Parameters',
          `${parameters(report.nParamsAfter)} from ${parameters(report.nParamsBefore)}, ${signedShare(report.nParamsAfter / report.nParamsBefore - 1)}`,
        ],
        ['Size', `${size(report.sizeBytesAfter)} from ${size(report.sizeBytesBefore)}`],
        ...(report.repair
          ? ([
              ['Linear repair', `loss ${loss(report.repair.lossAfter)} nats from ${loss(report.repair.lossBefore)}`],
            ] as Fact[])
          : []),
      ];
    case 'sparsify':
      return [
        ['Zeroed', `${share(report.nZeroed / report.nConsidered)} of the weights`],
        ['Written to', report.out],
        ...(report.lossBefore !== null && report.lossAfter !== null
          ? ([['Loss', `${loss(report.lossAfter)} nats, ${cost(report.lossAfter - report.lossBefore)}`]] as Fact[])
          : []),
      ];
    case 'perplexity':
      return report.models.map(
        (model) =>
          [model.name, `loss ${loss(model.lossNats)} nats, perplexity ${perplexity(model.perplexity)}`] as const,
      );
    case 'generate':
      return [
        ['Text', report.text],
        ['Speed', `${tokensPerSecond(report.tokensPerSecond)}, ${counted(report.nNewTokens, 'token')}`],
      ];
    case 'heal':
      return [
        ...(report.healed
          ? [['Held-out loss', `${loss(report.healed.lossNats)} nats after step ${report.bestStep}`] as const]
          : []),
        ...(report.pruned
          ? [
              [
                'Before',
                `pruned ${loss(report.pruned.lossNats)}${report.dense ? `, dense ${loss(report.dense.lossNats)}` : ''}`,
              ] as const,
            ]
          : []),
        ['Written to', report.out],
      ];
    case 'merge':
      return [
        ['Adapter', report.adapter],
        ['Written to', report.out],
        ['Changed', counted(report.nMerged, 'weight')],
      ];
    case 'evaluate':
      return [
        ['Models', report.models.map(({ label }) => label).join(', ')],
        ['Tasks', report.tasks.map(({ title, nItems }) => `${title} (${nItems})`).join(', ')],
      ];
    case 'study': {
      const { variants, evaluation, steps } = report;
      const best = variants
        .slice(1)
        .filter((variant) => variant.loss !== null)
        .sort((a, b) => a.loss!.lossNats - b.loss!.lossNats)[0];
      return [
        ['Variants', `${variants.length - 1} beside ${variants[0]!.label}`],
        ...(best
          ? [['Least loss', `${best.label}: ${loss(best.loss!.lossNats)} nats, ${cost(best.loss!.costNats)}`] as const]
          : []),
        ...(evaluation ? [['Tasks', evaluation.tasks.map(({ title }) => title).join(', ')] as const] : []),
        ['Steps', `${steps.length}, of which ${steps.filter(({ doneBefore }) => doneBefore).length} were done before`],
        ['Written to', `${report.out}: report.html, report.md, charts`],
      ];
    }
    case 'inspect':
      return [
        [
          'Model',
          `${report.model.family}, ${counted(report.model.nBlocks, 'block')}, ${parameters(report.model.nParameters)}`,
        ],
        ['Size', `${size(report.model.sizeBytes)}, ${report.model.dtype}`],
      ];
  }
}

function lastFacts({ timing, peakMemoryBytes, device, threads }: Exclude<Report, { kind: 'inspect' }>): Fact[] {
  return [
    [
      'Time',
      duration((timing.elapsedMs + timing.loadMs + timing.compileMs + timing.tokenizeMs + timing.writeMs) / 1000),
    ],
    ['Peak memory', size(peakMemoryBytes)],
    ['Device', `${device}, ${counted(threads, 'thread')}`],
  ];
}
