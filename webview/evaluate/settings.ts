// The settings of an evaluation as a list for people: all that the numbers of the table depend on.
import { html, type TemplateResult } from 'lit';
import type { EvaluationSettings } from '../../server/protocol/pages/evaluate';
import type { EvaluateRecipe } from '../../server/recipes/evaluate/recipe';
import { blockRanges } from '../../server/shared/dropSets';
import { isShare, metricOf } from '../../server/shared/metrics';
import { counted, size } from '../../server/shared/numbers';
import { weightsInWords } from '../../server/shared/weightWidths';
import type { Column } from './columns';
import { allRows, type Row } from './table';
import type { TableView } from './view';

export const settingsList = (view: TableView): TemplateResult => html`
  <section aria-labelledby="settings-title">
    <h2 id="settings-title">Settings</h2>
    <dl id="settings">${settingsOf(view).map(
      ([name, value]) => html`<dt class="text"><bdi>${name}</bdi></dt><dd class="text"><bdi>${value}</bdi></dd>`,
    )}</dl>
  </section>`;

export function settingsOf({ columns, rows, evaluation }: TableView): [name: string, value: string][] {
  const { recipe, report, plan } = evaluation;
  const tasks = allRows(rows).filter(({ kind }) => kind === 'task');
  const device = report?.device ?? plan?.device;
  const held = weightsInWords(report ?? plan ?? {});
  const dtypes = [...new Set(columns.map(({ model }) => model.dtype))];
  return [
    ['Questions', questions(recipe)],
    ['Shots', shots(tasks)],
    ['Scores', metrics(tasks)],
    ['Scoring', 'as lm-evaluation-harness 0.4.13'],
    ['Versions', versions(tasks)],
    ['Compute', `float32${device ? `, ${device === 'cpu' ? 'CPU' : device}` : ''}; stored as ${dtypes.join(', ')}`],
    ...(held ? [['Matrices as', held] as [string, string]] : []),
    ['Longest input', [...new Set(columns.map(({ model }) => counted(model.maxTokens, 'token')))].join(', ')],
    ...columns.map((column): [string, string] => [column.name, modelIn(column)]),
    ...(report && report.work.nTokens > 0 ? [['Work', work(report.work)] as [string, string]] : []),
  ];
}

/** The settings of a form that would start the same evaluation. */
export const settingsIn = ({ tasks, items, fewShot, generate, compute }: EvaluateRecipe): EvaluationSettings => ({
  tasks,
  items: items && items.end - items.first,
  fewShot,
  generate,
  weights: compute.weights ?? null,
});

export function questions({ items }: EvaluateRecipe): string {
  if (!items) return 'all of each task';
  return items.first === 0
    ? `the first ${items.end} of each task`
    : `${items.first} to ${items.end - 1} of each task, from 0`;
}

const shots = (tasks: readonly Row[]) => mostlyOf(tasks, ({ nFewShot }) => String(nFewShot ?? 0));
const metrics = (tasks: readonly Row[]) =>
  mostlyOf(tasks, ({ metric }) => (isShare(metric) ? metric : metricOf(metric).label));
const versions = (tasks: readonly Row[]) => mostlyOf(tasks, ({ task }) => String(task?.version ?? '–'));

/** `acc_norm, acc for BoolQ`: what most have, then what others have. */
function mostlyOf(tasks: readonly Row[], say: (row: Row) => string): string {
  const titles = new Map<string, string[]>();
  for (const row of tasks) titles.set(say(row), [...(titles.get(say(row)) ?? []), row.title]);
  const ways = [...titles].sort(([, a], [, b]) => b.length - a.length);
  return ways.map(([what, of], i) => (i === 0 ? what : `${what} for ${few(of)}`)).join(', ') || '–';
}

const few = (titles: readonly string[]) =>
  titles.length > 5 ? `${titles.slice(0, 3).join(', ')} and ${titles.length - 3} more` : titles.join(', ');

function modelIn({ model, kind }: Column): string {
  const { name, nBlocks, sizeBytes, removedBlocks, healed } = model;
  const lacks = removedBlocks.length > 0 && healed ? `, without ${blockRanges(removedBlocks)}` : '';
  return `${kind === 'base' || healed ? `${name}, ` : ''}${counted(nBlocks, 'block')}, ${size(sizeBytes)}${lacks}`;
}

const work = ({ nTokens, nPlainTokens }: { nTokens: number; nPlainTokens: number }) => {
  const thousands = (n: number) => Math.round(n).toLocaleString('en').replaceAll(',', '\u202f');
  return `${thousands(nTokens)} tokens; one request at a time ${thousands(nPlainTokens)}`;
};
