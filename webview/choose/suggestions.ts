// What the methods, the measurement and the greedy search would drop, by number of blocks, and what that is known to cost.
import type { DropSet } from '../../server/protocol/recipes';
import { keyOf } from '../../server/shared/dropSets';
import { isKnown, type LossOfChoice } from './measured';
import { type ScoredMethod, suggestion } from './methods';
import { rankCorrelation } from './ranks';

export interface SuggestionCell {
  drop: DropSet;
  loss: LossOfChoice;
  /** No other measured suggestion of as many blocks costs less. */
  least: boolean;
}

export interface SuggestionRow {
  name: string;
  label: string;
  mark: string;
  kind: 'method' | 'removals' | 'greedy';
  /** Spearman's rho between the method's scores and the measured costs; null where those are not complete. */
  correlation: number | null;
  /** By count from `counts[0]` on; null where there is none. */
  cells: (SuggestionCell | null)[];
}

/** A step of the greedy search: all that is dropped by then, and its cost. */
export interface GreedySet {
  drop: DropSet;
  costNats: number;
}

export interface SuggestionSources {
  methods: readonly ScoredMethod[];
  /** Measured costs by block, infinite where one is not finite; null while one of them is missing. */
  costs: readonly number[] | null;
  greedy: readonly GreedySet[];
  counts: readonly number[];
  kept: readonly number[];
  lossOf(drop: DropSet): LossOfChoice;
}

export function suggestionRows({ methods, costs, greedy, counts, kept, lossOf }: SuggestionSources): SuggestionRow[] {
  const cells = (dropOf: (count: number) => DropSet | null) =>
    counts.map((count): SuggestionCell | null => {
      const drop = dropOf(count);
      return drop && { drop, loss: lossOf(drop), least: false };
    });
  const rows: SuggestionRow[] = methods.map((method) => ({
    name: method.name,
    label: method.label,
    mark: method.mark,
    kind: 'method',
    correlation: costs && costs.length > 2 ? rankCorrelation(method.scores, costs) : null,
    cells: cells((count) => suggestion(method, count, kept)),
  }));
  if (costs)
    rows.push({
      name: 'removals',
      label: 'Loss without it',
      mark: '┃',
      kind: 'removals',
      correlation: null,
      cells: cells((count) => suggestion({ scores: costs, spans: null }, count, kept)),
    });
  if (greedy.length > 0)
    rows.push({
      name: 'greedy',
      label: 'Greedy search',
      mark: '',
      kind: 'greedy',
      correlation: null,
      cells: cells((count) => greedySetOf(greedy, count, kept)),
    });
  counts.forEach((_, i) => {
    markLeast(rows.flatMap((row) => row.cells[i] ?? []));
  });
  return rows;
}

/** A search step that drops so many blocks (a sublayer counts as half of one) and none of those that are kept. */
export function greedySetOf(greedy: readonly GreedySet[], count: number, kept: readonly number[]): DropSet | null {
  const step = greedy.find(({ drop }) => drop.blocks.length + (drop.attention.length + drop.mlp.length) / 2 === count);
  if (!step) return null;
  const { blocks, attention, mlp } = step.drop;
  return [...blocks, ...attention, ...mlp].some((block) => kept.includes(block)) ? null : step.drop;
}

/** Suggested sets that are only estimated, each once. */
export function unmeasuredSets(rows: readonly SuggestionRow[]): DropSet[] {
  const drops = rows.flatMap(({ cells }) => cells.flatMap((cell) => (cell && !isKnown(cell.loss) ? [cell.drop] : [])));
  return [...new Map(drops.map((drop) => [keyOf(drop), drop])).values()];
}

function markLeast(cells: SuggestionCell[]): void {
  const costs = cells.flatMap(({ loss }) => (loss.kind === 'measured' ? [loss.costNats] : []));
  const least = Math.min(...costs);
  for (const cell of cells) cell.least = cell.loss.kind === 'measured' && cell.loss.costNats === least;
}
