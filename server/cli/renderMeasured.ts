// Measured losses as text for a terminal.
import type { BlockOrSublayer, MeasuredLoss, NotFinite } from '../protocol/reports';
import type { AnalyzeReport, WorkCounts } from '../recipes/analyze/recipe';
import { formatDropSet } from '../shared/dropSets';
import { notFinite } from '../shared/finite';
import { normalQuantile } from '../shared/statistics';
import { table } from './table';

/** A paragraph for each part that was measured, with an empty line behind it. */
export function renderMeasured(report: AnalyzeReport): string[] {
  const { removals, greedy, suggestions, whatIf, work } = report;
  const parts: string[] = [];
  if (removals) {
    const kinds = (['blocks', 'attention', 'mlp'] as const).filter((kind) => removals[kind] !== null);
    const names = { blocks: 'the block', attention: 'its attention', mlp: 'its MLP' };
    const rows = removals.blocks.map((_, k) => [`${k}`, ...kinds.map((kind) => cost(removals[kind]![k]!))]);
    parts.push(table([['without, nats', ...kinds.map((kind) => names[kind])], ...rows]));
  }
  if (greedy) {
    const rows = greedy.steps.map((step, i) => [
      `${i + 1}`,
      unitName(step.unit),
      step.lossNats.toFixed(4),
      cost(step),
      `${step.candidates.length}`,
    ]);
    const how = greedy.racingConfidence === null ? 'exact search' : `search by racing at ${greedy.racingConfidence}`;
    parts.push(table([[how, 'drops', 'loss', 'added, nats', 'candidates'], ...rows]));
  }
  if (suggestions) {
    const counts = [...new Set(suggestions.map((it) => it.count))].sort((a, b) => a - b);
    const methods = [...new Set(suggestions.map((it) => it.method))];
    const cell = (method: string, count: number) =>
      digitsOf(suggestions.find((it) => it.method === method && it.count === count)?.costNats, 3);
    const rows = methods.map((method) => [method, ...counts.map((count) => cell(method, count))]);
    parts.push(table([['nats added by dropping', ...counts.map(String)], ...rows]));
  }
  if (whatIf) {
    const rows = whatIf.map((it) => [formatDropSet(it.drop), digitsOf(it.lossNats, 4), cost(it)]);
    parts.push(table([['without', 'loss', 'added, nats'], ...rows]));
  }
  if (work) parts.push(workLine(work));
  return parts.flatMap((part) => [part, '']);
}

/** With the 95 % interval of paired differences. */
function cost(loss: MeasuredLoss): string {
  if (loss.costNats === notFinite) return notFinite;
  const { costNats, costStandardError } = loss;
  return `${costNats < 0 ? '' : '+'}${costNats.toFixed(4)} ±${(normalQuantile * costStandardError).toFixed(4)}`;
}

/** Empty where there is no number. */
const digitsOf = (value: number | NotFinite | undefined, digits: number): string =>
  typeof value === 'number' ? value.toFixed(digits) : (value ?? '');

const unitName = (unit: BlockOrSublayer): string =>
  typeof unit === 'number' ? `block ${unit}` : `${unit.half} ${unit.block}`;

const workLine = ({ blockRuns, headRuns, minimum, plain }: WorkCounts): string =>
  `all took ${blockRuns} block runs and ${headRuns} head runs of one sequence each; ` +
  `at least ${minimum.blockRuns} and ${minimum.headRuns} are needed, ${plain.blockRuns} and ${plain.headRuns} without sharing`;
