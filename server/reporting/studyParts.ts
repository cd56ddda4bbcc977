// What the page of a study says, before it is Markdown or HTML: what was varied, what can be said for sure and what cannot,
// what it cost by loss and by accuracy, healed beside unhealed.
import { normalQuantile } from '../shared/statistics';
import { countedTasks, meanAccuracy, scoreOf } from '../evaluation/meanAccuracy';
import { studyReading } from '../evaluation/studyReading';
import type { TokenSourceReport } from '../protocol/recipes';
import type { StudyLoss, StudyReport, StudyVariant } from '../recipes/study/recipe';
import type { NamedChart } from './evaluationCharts';
import { choosingMethods, isChoosingMethod } from '../shared/methods';
import { counted, parameters, percent, signed } from '../shared/numbers';
import { notFinite, withoutScores } from '../shared/finite';
import { recoveredFraction } from '../shared/recovery';
import { weightsInWords } from '../shared/weightWidths';

export interface StudyParts {
  title: string;
  sections: StudySection[];
}

export interface StudySection {
  /** null: what the page begins with. */
  title: string | null;
  parts: StudyPart[];
}

export type StudyPart =
  | { kind: 'text'; text: string }
  | { kind: 'heading'; text: string }
  | { kind: 'list'; items: string[] }
  /** The first columns are words, the rest figures. */
  | { kind: 'table'; head: string[]; rows: string[][]; nWordColumns: number }
  /** Where the charts about this go. */
  | { kind: 'charts'; topic: StudyTopic };

export type StudyTopic = 'loss' | 'accuracy' | 'tasks';

export interface StudyChart extends NamedChart {
  topic: StudyTopic;
}

export function studyParts(report: StudyReport): StudyParts {
  const { model, evaluation, perplexity } = report;
  const sections: StudySection[] = [
    { title: null, parts: [text(introduction(report))] },
    { title: 'What can be said', parts: [list(studyReading(report)), text(toReadIt)] },
  ];
  if (perplexity)
    sections.push({ title: 'Loss', parts: [charts('loss'), text(lossNote(perplexity)), lossTable(report)] });
  if (evaluation)
    sections.push(
      { title: 'Accuracy', parts: [charts('accuracy'), text(accuracyNote(report)), accuracyTable(report)] },
      { title: 'Task by task', parts: [charts('tasks'), ...countsOf(report).flatMap((n) => taskTable(report, n))] },
    );
  sections.push({ title: 'Limits', parts: [list(limits(report))] }, { title: 'Steps', parts: [stepTable(report)] });
  return { title: `${model.name} with fewer blocks`, sections };
}

const text = (of: string): StudyPart => ({ kind: 'text', text: of });
const list = (items: string[]): StudyPart => ({ kind: 'list', items });
const charts = (topic: StudyTopic): StudyPart => ({ kind: 'charts', topic });

const toReadIt =
  'Blocks count from 0. Intervals are 95 %; those of losses and mean accuracies are of the difference to the original.';

const inWords = (method: string) => (isChoosingMethod(method) ? choosingMethods[method] : method);

function introduction({ model, variants, methods, recipe, calibration, ...facts }: StudyReport): string {
  const weights = weightsInWords(facts);
  const papers = Object.entries(methods).map(([name, { unit, paper }]) => `${name} (${unit}; ${paper})`);
  const others = recipe.methods.filter((name) => !Object.hasOwn(methods, name)).map(inWords);
  return [
    `${counted(variants.length - 1, 'variant')} of ${model.name} (${model.nBlocks} blocks, ${parameters(model.nParameters)} parameters), `,
    `without ${recipe.counts.join(', ')} blocks, chosen by ${[...papers, ...others].join('; ')}. `,
    `Methods looked at ${sequencesOf(calibration)}. Methods that chose the same blocks stand in one row.`,
    ...(weights ? [` Matrices were held as ${weights}.`] : []),
  ].join('');
}

const lossNote = (perplexity: TokenSourceReport) =>
  `Mean loss in nats a token on ${sequencesOf(perplexity)}; cost is the difference to the original on the same tokens.`;

/** A row for a set and its repair, healed beside unhealed. */
function lossTable(report: StudyReport): StudyPart {
  const base = report.variants[0]!;
  const rows = pairsOf(report).map(({ unhealed, healed }) => {
    const some = (unhealed ?? healed)!;
    return [
      ...namesOf(some),
      natsOf(unhealed),
      unhealed?.loss?.perplexity.toPrecision(4) ?? '',
      cost(unhealed?.loss),
      natsOf(healed),
      cost(healed?.loss),
      recovered(unhealed?.loss, healed?.loss),
    ];
  });
  const ofOriginal = [...namesOf(base), nats(base.loss), base.loss!.perplexity.toPrecision(4), '', '', '', ''];
  return table(
    2,
    ['methods', 'without', 'parameters', 'loss', 'perplexity', 'cost', 'loss healed', 'cost healed', 'recovered'],
    [ofOriginal, ...rows],
  );
}

function accuracyNote({ evaluation, recipe }: StudyReport): string {
  const tasks = countedTasks(evaluation!).map(({ title, metric }) => `${title} (${metric})`);
  const items = recipe.evaluate!.items;
  const range = items === null ? 'all items' : `items ${items.first} to ${items.end - 1}`;
  return `Mean accuracy over ${tasks.join(', ')}; ${range} of every task. Differences are to the original on the same items.`;
}

function accuracyTable(report: StudyReport): StudyPart {
  const meanOf = (variant: StudyVariant | undefined) =>
    variant && variant.model !== null ? meanAccuracy(report.evaluation!, variant.model) : null;
  const cells = (variant: StudyVariant | undefined) => {
    const mean = meanOf(variant);
    return [mean ? percent(mean.mean) : '', mean?.difference ? difference(mean.difference) : ''];
  };
  const rows = pairsOf(report).map(({ unhealed, healed }) => [
    ...namesOf((unhealed ?? healed)!),
    ...cells(unhealed),
    ...cells(healed),
  ]);
  return table(
    2,
    ['methods', 'without', 'parameters', 'accuracy', 'difference', 'accuracy healed', 'difference healed'],
    [[...namesOf(report.variants[0]!), ...cells(report.variants[0]), '', ''], ...rows],
  );
}

/** every task that is counted, for all variants without so many blocks. */
function taskTable(report: StudyReport, count: number): StudyPart[] {
  const evaluation = report.evaluation!;
  const tasks = countedTasks(evaluation);
  const rows = report.variants
    .filter((variant) => variant.count === 0 || variant.count === count)
    .map((variant) => [
      variant.label,
      ...tasks.map((task) => {
        const score = variant.model === null ? undefined : scoreOf(evaluation, variant.model, task);
        const surely = evaluation.comparisons.some(
          (it) => it.variant === variant.label && it.task === task.task && it.metric === task.metric && it.significant,
        );
        return score ? `${percent(score.value)}${surely ? ' ★' : ''}` : '';
      }),
    ]);
  return [
    { kind: 'heading', text: `Without ${counted(count, 'block')}` },
    table(1, ['variant', ...tasks.map(({ title }) => title)], rows),
    text('★: differs from the original at 5 % after Holm’s correction over the tasks of the variant.'),
  ];
}

function limits({ recipe, evaluation, perplexity, calibration, variants }: StudyReport): string[] {
  const { healing } = recipe;
  const healed = variants.filter((variant) => variant.healed);
  const trainedOn = healing?.data.files.map((file) => file.split(/[\\/]/).at(-1)!) ?? [];
  const tokens = healing ? healing.loop.microBatchSequences * healing.loop.accumulate * healing.data.tokens : 0;
  const nItems = evaluation?.tasks.map((task) => task.nItems) ?? [];
  return [
    `One model, one calibration text of ${calibration.nSequences * calibration.tokensPerSequence} tokens, one seed: another of any of them may order the methods otherwise.`,
    ...(healing && healed.length > 0
      ? [
          `${healed.length} of ${variants.length - 1} variants are healed, with at most ${healing.loop.steps} steps of ${tokens} tokens of ${trainedOn.join(', ')}, rank ${healing.adapter.rank}. Longer training would bring back more.`,
        ]
      : []),
    ...(perplexity ? ['A loss says how well this kind of text is predicted, and nothing of other kinds.'] : []),
    ...(evaluation
      ? [
          `Tasks have ${Math.min(...nItems)} to ${Math.max(...nItems)} items here. The intervals speak of other items of the same tasks, not of other tasks.`,
          'Mean accuracies take the tasks as independent; one interval in twenty misses by chance, and there are many.',
        ]
      : []),
    ...variants.flatMap(({ label, notFinite: why }) => (why ? [`${label} is left out: ${why}`] : [])),
    ...(evaluation?.notFinite ?? []).map((it) => withoutScores(evaluation!.models[it.model]!.label, it.sentence)),
    ...(evaluation?.warnings ?? []),
  ];
}

function stepTable({ steps }: StudyReport): StudyPart {
  const total = steps.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0);
  const rows = steps.map(({ kind, title, elapsedMs }) => [kind, title, (elapsedMs / 1000).toFixed(1)]);
  return table(2, ['step', 'what', 'seconds'], [...rows, ['all', '', (total / 1000).toFixed(1)]]);
}

/** What differs in healing alone. */
function pairsOf({ variants }: StudyReport): { unhealed?: StudyVariant; healed?: StudyVariant }[] {
  const pairs = new Map<string, { unhealed?: StudyVariant; healed?: StudyVariant }>();
  for (const variant of variants.slice(1)) {
    const key = JSON.stringify([variant.drop, variant.repair]);
    pairs.set(key, { ...pairs.get(key), [variant.healed ? 'healed' : 'unhealed']: variant });
  }
  return [...pairs.values()];
}

const countsOf = ({ variants }: StudyReport) => [...new Set(variants.slice(1).map(({ count }) => count))];

const namesOf = ({ id, methods, without, repair, nParameters, label }: StudyVariant): string[] => [
  id === 'base' ? label : `${methods.join(', ')}${repair === 'none' ? '' : ', repaired'}`,
  without,
  parameters(nParameters),
];

const sequencesOf = ({ nSequences, tokensPerSequence, files, start }: TokenSourceReport) =>
  `${nSequences} sequences of ${tokensPerSequence} tokens of ${files.map(({ name }) => name).join(', ')} from token ${start} on`;

/** The share of what leaving blocks out cost that healing won back. */
function recovered(before: StudyLoss | null | undefined, after: StudyLoss | null | undefined): string {
  if (!before || !after) return '';
  const fraction = recoveredFraction({ original: 0, pruned: before.costNats, healed: after.costNats });
  return fraction === null ? '' : percent(fraction, 0);
}
const natsOf = (variant: StudyVariant | undefined) => (variant?.notFinite ? notFinite : nats(variant?.loss));
const nats = (loss: StudyLoss | null | undefined) => loss?.lossNats.toFixed(3) ?? '';
const cost = (loss: StudyLoss | null | undefined) =>
  loss
    ? `${signed(loss.costNats, 3)}${loss.costStandardError === null ? '' : ` ± ${(normalQuantile * loss.costStandardError).toFixed(3)}`}`
    : '';
const difference = ({ delta, interval95 }: { delta: number; interval95: readonly [number, number] | null }) =>
  `${signed(100 * delta, 1)}${interval95 ? ` (${signed(100 * interval95[0], 1)} to ${signed(100 * interval95[1], 1)})` : ''}`;
const table = (nWordColumns: number, head: string[], rows: string[][]): StudyPart => ({
  ...{ kind: 'table', head, rows, nWordColumns },
});
