// How a model was healed: settings, data, curve, and what came back.
import { percent, plain } from '../../shared/numbers';
import { markdownTable, marked } from '../../reporting/reportMarkdown';
import { type CardFacts, type ReportOf, reportsOf } from './facts';
import { code, factList, fenced, parameters, section } from './markdown';
import { lossCurve } from './lossCurve';
import { stepsOf } from './steps';

export function healingSection(facts: CardFacts): string | null {
  const reports = reportsOf(facts, 'heal');
  const merged = stepsOf(facts, 'merge').flatMap(({ options }) => (options ? [options] : []));
  if (reports.length > 0) return section('How it was healed', ...reports.flatMap(ofReport));
  if (merged.length === 0) return null;
  return section(
    'How it was healed',
    ...merged.map(({ rank, alpha, targets }) =>
      factList([['LoRA, merged into the weights', `rank ${rank}, alpha ${alpha}, on ${targets.map(code).join(', ')}`]]),
    ),
  );
}

function ofReport(report: ReportOf<'heal'>): (string | null)[] {
  const { steps, evals, dense, pruned, healed, bestStep, stoppedBy } = report;
  const curve = lossCurve(steps.map(({ lossNats }) => lossNats));
  const [first, last] = [steps[0], steps.at(-1)];
  return [
    'A LoRA adapter was trained on the pruned model, whose own weights stayed as they were.',
    factList(settingsOf(report)),
    curve && first && last
      ? `Training loss, from ${plain(first.lossNats, 4)} nats at step ${first.step} to ${plain(last.lossNats, 4)} at step ${last.step}; the highest row is the largest, the lowest the smallest:`
      : null,
    curve && fenced('text', curve),
    evals.length > 0 ? evaluationTable(evals) : null,
    factList([
      [
        'held-out loss of the original',
        dense && `${plain(dense.lossNats, 4)} nats, perplexity ${plain(dense.perplexity, 2)}`,
      ],
      ['of the pruned model', pruned && `${plain(pruned.lossNats, 4)} nats, perplexity ${plain(pruned.perplexity, 2)}`],
      ['of the healed model', healed && `${plain(healed.lossNats, 4)} nats, perplexity ${plain(healed.perplexity, 2)}`],
      ['kept', `the adapter after ${bestStep} steps; ended by ${marked(stoppedBy)}`],
    ]),
  ];
}

function settingsOf({ adapter, data, objective, optimizer }: ReportOf<'heal'>): [string, string | null][] {
  const { rank, alpha, targets, nParameters } = adapter;
  const { learningRate, schedule, warmupSteps, weightDecay, clipNorm } = optimizer;
  return [
    [
      'adapter',
      `LoRA, rank ${rank}, alpha ${plainest(alpha)}, ${parameters(nParameters)} parameters, on ${targets.map(code).join(', ')}`,
    ],
    ['objective', objective.kind === 'distillation' ? 'what the original expects (distillation)' : 'the next token'],
    ['data', data.files.map(({ name, sha256 }) => `${marked(name)} (sha256 ${code(sha256)})`).join(', ')],
    [
      'items',
      `${data.nTrainingItems} to train on, ${data.nHeldOutItems} held out; ${data.nCountedTokens} tokens count in the loss`,
    ],
    [
      'optimizer',
      `AdamW, learning rate ${plainest(learningRate)}, ${marked(schedule)} after ${warmupSteps} steps of warm-up, weight decay ${plainest(weightDecay)}${clipNorm === null ? '' : `, gradients clipped at ${plainest(clipNorm)}`}`,
    ],
  ];
}

/** As it stands in the report. */
const plainest = (value: number) => `${value}`;

const evaluationTable = (evals: ReportOf<'heal'>['evals']): string =>
  markdownTable(
    ['after steps', 'held-out loss, nats', 'perplexity', 'recovered'],
    evals.map(({ step, lossNats, perplexity, recoveredFraction }) => [
      `${step}`,
      plain(lossNats, 4),
      plain(perplexity, 2),
      recoveredFraction === null ? '–' : percent(recoveredFraction),
    ]),
    0,
  );
