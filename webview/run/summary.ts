// The facts of a report, by kind. A kind with a row below is shown by that row; of any other kind the numbers and texts of its
// report are shown under the names of their fields.
import type { ModelSummary, RunFacts } from '../../server/protocol/reports';
import type { Report } from '../../server/recipes/kinds';
import { dropSetInWords } from '../../server/shared/dropSets';
import { orderOf } from '../../server/shared/finite';
import { linesForGguf } from '../../server/shared/ggufUse';
import {
  cost,
  counted,
  duration,
  loss,
  parameters,
  perplexity,
  plain,
  share,
  signedShare,
  size,
  tokensPerSecond,
  nameInWords,
} from '../../server/shared/numbers';
import { tensorNamesInWords } from '../../server/shared/tensorNames';
import { weightsInWords } from '../../server/shared/weightWidths';

/** A fact that is null is not known of this report. */
type Fact = readonly [name: string, value: string | null];
type FactsOf = { readonly [K in Report['kind']]?: (report: Extract<Report, { kind: K }>) => Fact[] };

export function summaryOf(report: Report): (readonly [name: string, value: string])[] {
  const row = Object.hasOwn(factsByKind, report.kind) ? factsByKind[report.kind] : undefined;
  const facts = row ? row(report as never) : plainFacts(report as object as Record<string, unknown>);
  const all = [...facts, ...('timing' in report ? runFacts(report) : [])];
  return all.flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
}

/** Reports of earlier versions do not say. */
const notUsed = ({ unusedTensors = [] }: Partial<ModelSummary>) =>
  unusedTensors.length > 0 ? tensorNamesInWords(unusedTensors) : null;

const nats = (value: number) => `${loss(value)} nats`;

const factsByKind: FactsOf = {
  pull(report) {
    const { endpoint, sizeBytes, fetchedBytes, elapsedMs } = report;
    const files = 'dataSets' in report ? report.dataSets.flatMap((set) => set.files) : report.files;
    return [
      ...('dataSets' in report
        ? report.dataSets.map(
            ({ dataset, commit }): Fact => ['Data set', `${dataset} of ${endpoint}, commit ${commit}`],
          )
        : ([
            ['Model', `${report.repository}@${report.revision} of ${endpoint}`],
            ['Commit', report.commit],
            ['Written to', report.out],
          ] satisfies Fact[])),
      ['Size', `${size(sizeBytes)} in ${counted(files.length, 'file')}`],
      ['Fetched', fetchedBytes === 0 ? 'nothing: all was there' : size(fetchedBytes)],
      ['Time', duration(elapsedMs / 1000)],
    ];
  },

  publish: ({ published, collection, endpoint, dryRun, sizeBytes, sentBytes, elapsedMs }) => [
    ...published.map(
      ({ repository, branch, commit }): Fact => [
        dryRun ? 'Would be' : 'Published',
        `${endpoint}/${repository}, ${branch}${commit === null ? '' : ` is ${commit}`}`,
      ],
    ),
    ['Collection', collection === null ? null : `${endpoint}/collections/${collection}`],
    ['Size', size(sizeBytes)],
    ['Sent', dryRun ? 'nothing' : `${size(sentBytes)} of large files`],
    ['Time', duration(elapsedMs / 1000)],
  ],

  export: ({ out, gguf, architecture, nTensors, sizeBytes, elapsedMs, warnings }) => [
    ['Written to', out],
    ['Size', `${size(sizeBytes)}, ${counted(nTensors, 'tensor')} as ${gguf}`],
    ['In llama.cpp', architecture],
    ...linesForGguf(out),
    ['Differs', warnings.length > 0 ? warnings.join(' ') : null],
    ['Time', duration(elapsedMs / 1000)],
  ],

  analyze({ lossNats, perplexity: ofText, source, methods, notFinite: lost, removals, greedy }) {
    const costs = removals?.blocks.map(({ costNats }) => orderOf(costNats)) ?? [];
    const cheapest = costs.indexOf(Math.min(...costs));
    const files = source.files.map(({ name }) => name).join(', ');
    const total = cost(greedy?.steps.at(-1)?.costNats ?? 0);
    return [
      ['Loss', `${nats(lossNats)}, perplexity ${perplexity(ofText)}`],
      ['Text', `${counted(source.nSequences, 'sequence')} of ${source.tokensPerSequence} tokens of ${files}`],
      ['Methods', counted(Object.keys(methods).length, 'method')],
      ['Not finite', lost ? lost.map(({ method, block }) => `${method} in block ${block}`).join(', ') : null],
      [
        'Cheapest block',
        Number.isFinite(costs[cheapest]) ? `${cheapest} (${cost(costs[cheapest]!)} nats without it)` : null,
      ],
      ['Greedy search', greedy && `${counted(greedy.steps.length, 'step')}, ${total} nats`],
    ];
  },

  prune({ model, dropSet, droppedSublayers, out, repair, rounding, ...report }) {
    const { nParamsBefore, nParamsAfter, sizeBytesBefore, sizeBytesAfter } = report;
    const change = signedShare(nParamsAfter / nParamsBefore - 1);
    return [
      ['Dropped', dropSetInWords({ blocks: dropSet, ...droppedSublayers })],
      ['Written to', out],
      ['Parameters', `${parameters(nParamsAfter)} from ${parameters(nParamsBefore)}, ${change}`],
      ['Size', `${size(sizeBytesAfter)} from ${size(sizeBytesBefore)}`],
      ['Linear repair', repair && `loss ${nats(repair.lossAfter)} from ${loss(repair.lossBefore)}`],
      ['Rounding not measured', rounding?.notMeasured ?? null],
      ['Left behind', notUsed(model)],
    ];
  },

  sparsify: ({ nZeroed, nConsidered, out, lossBefore, lossAfter, notMeasured }) => [
    ['Zeroed', `${share(nZeroed / nConsidered)} of the weights`],
    ['Written to', out],
    ['Loss', lossBefore === null || lossAfter === null ? null : `${nats(lossAfter)}, ${cost(lossAfter - lossBefore)}`],
    ['Loss not measured', notMeasured ?? null],
  ],

  perplexity: ({ models, notFinite: lost = [] }) => [
    ...models.map(
      ({ name, lossNats, perplexity: ofText }): Fact => [
        name,
        `loss ${nats(lossNats)}, perplexity ${perplexity(ofText)}`,
      ],
    ),
    ...lost.map(({ name, sentence }): Fact => [name, sentence]),
  ],

  generate: ({ text, tokensPerSecond: speed, nNewTokens }) => [
    ['Text', text],
    ['Speed', `${tokensPerSecond(speed)}, ${counted(nNewTokens, 'token')}`],
  ],

  heal: ({ healed, pruned, dense: original, bestStep, out }) => [
    ['Held-out loss', healed && `${nats(healed.lossNats)} after step ${bestStep}`],
    ['Before', pruned && `pruned ${loss(pruned.lossNats)}${original ? `, original ${loss(original.lossNats)}` : ''}`],
    ['Written to', out],
  ],

  merge: ({ adapter, out, nMerged, warning }) => [
    ['Warning', warning],
    ['Adapter', adapter],
    ['Written to', out],
    ['Changed', counted(nMerged, 'weight')],
  ],

  evaluate: ({ models, tasks }) => [
    ['Models', models.map(({ label }) => label).join(', ')],
    ['Tasks', tasks.map(({ title, nItems }) => `${title} (${nItems})`).join(', ')],
  ],

  study({ variants, evaluation, steps, out }) {
    const [original, ...others] = variants;
    const best = others
      .filter((variant) => variant.loss !== null)
      .sort((a, b) => a.loss!.lossNats - b.loss!.lossNats)[0];
    return [
      ['Variants', `${others.length} beside ${original!.label}`],
      ...others.flatMap(({ label, notFinite: sentence }): Fact[] => (sentence ? [[label, sentence]] : [])),
      ['Least loss', best ? `${best.label}: ${nats(best.loss!.lossNats)}, ${cost(best.loss!.costNats)}` : null],
      ['Tasks', evaluation === null ? null : evaluation.tasks.map(({ title }) => title).join(', ')],
      ['Steps', `${steps.length}, of which ${steps.filter(({ doneBefore }) => doneBefore).length} were done before`],
      ['Written to', `${out}: report.html, report.md, charts`],
    ];
  },

  pipeline: ({ steps, out }) => [
    ...steps.map(
      ({ id, kind, elapsedMs, doneBefore, made }): Fact => [
        id,
        [kind, doneBefore ? 'done before' : duration(elapsedMs / 1000), ...(made ? [made] : [])].join(', '),
      ],
    ),
    ['Written to', `${out}: report.json, reports`],
  ],

  inspect: ({ model }) => [
    ['Model', `${model.family}, ${counted(model.nBlocks, 'block')}, ${parameters(model.nParameters)}`],
    ['Size', `${size(model.sizeBytes)}, ${model.dtype}`],
    ['Not used', notUsed(model)],
  ],
};

/** What every report ends with. */
function runFacts(report: RunFacts): Fact[] {
  const { elapsedMs, loadMs, compileMs, tokenizeMs, writeMs } = report.timing;
  return [
    ['Time', duration((elapsedMs + loadMs + compileMs + tokenizeMs + writeMs) / 1000)],
    ['Peak memory', size(report.peakMemoryBytes)],
    ['Device', `${report.device}, ${counted(report.threads, 'thread')}`],
    ['Device chosen', report.deviceReason ?? null],
    ['Matrices as', weightsInWords(report)],
  ];
}

const shownElsewhere = new Set([
  'kind',
  'peakMemoryBytes',
  'device',
  'deviceReason',
  'threads',
  'memory',
  'weights',
  'whyWeights',
]);

/** The numbers and words of a report of any kind, under the names of their fields: `nMerged` is `N merged`. */
function plainFacts(report: Record<string, unknown>): Fact[] {
  return Object.entries(report).flatMap(([name, value]): Fact[] => {
    if (shownElsewhere.has(name)) return [];
    if (name === 'out' && typeof value === 'string') return [['Written to', value]];
    if (typeof value === 'string' || typeof value === 'boolean') return [[nameInWords(name), String(value)]];
    return typeof value === 'number' ? [[nameInWords(name.replace(/(Nats|Bytes)$/, '')), inUnit(name, value)]] : [];
  });
}

/** By the unit that ends the field's name. */
function inUnit(name: string, value: number): string {
  if (name.endsWith('Nats')) return nats(value);
  if (name.endsWith('Bytes')) return size(value);
  return Number.isInteger(value) ? String(value) : plain(value, 3);
}
