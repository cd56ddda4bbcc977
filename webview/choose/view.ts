// Everything that the panel shows of one state, computed once before a rendering: ranks, surprises, known losses,
// suggestions. No part of the page computes such things for itself.
import type { ChooseBlocksState } from '../../server/protocol/pages/chooseBlocks';
import type { DropSet } from '../../server/protocol/recipes';
import type { Estimate, MeasuredLoss } from '../../server/protocol/reports';
import type { RunSummary } from '../../server/protocol/server';
import type { Choice, Row } from './choice';
import { type Facts, factsOf } from './facts';
import type { History } from './history';
import { type LossOfChoice, lossOf, type MeasuredSets, measuredSets, setOfUnits } from './measured';
import { isVariant, type ScoredMethod, scoredMethods, suggestion } from './methods';
import { median, rankCorrelation, ranks } from './ranks';
import { surprises } from './surprises';
import { keyOf } from '../../server/shared/dropSets';

export interface PageState {
  readonly host: ChooseBlocksState;
  readonly history: History<Choice>;
  readonly method: string;
  readonly open: ReadonlySet<number>;
  readonly allOpen: boolean;
  /** The row that the keyboard is on, and the other end of a range. */
  readonly current: Row;
  readonly anchor: number;
  /** The first count of the table of suggestions. */
  readonly firstCount: number;
  readonly cell: { first: number; count: number };
  /** Blocks under the pointer in the map or the table. */
  readonly preview: readonly number[];
  readonly repair: boolean;
  /** Final answers of the engine by drop set. */
  readonly answers: ReadonlyMap<string, MeasuredLoss>;
  readonly asking: Asking | null;
  /** Why the newest question was refused. */
  readonly refusal: string | null;
  /** Drop sets yet to be measured of those asked for at once; null when none was asked for. */
  readonly queue: readonly DropSet[] | null;
  readonly speed: { key: string; state: 'measuring' | 'failed' | 'measured'; ratio: number; message: string } | null;
  /** What came of the last press of a button that asks the host. */
  readonly message: { kind: 'failed' | 'done'; text: string } | null;
  readonly busy: 'prune' | 'saveRecipe' | 'analyze' | null;
}

export interface Asking {
  readonly question: number;
  readonly key: string;
  readonly estimate: Estimate | null;
}

export interface SuggestionCell {
  drop: DropSet;
  loss: LossOfChoice;
  least: boolean;
}

export interface SuggestionRow {
  name: string;
  label: string;
  mark: string;
  kind: 'method' | 'removals' | 'greedy';
  correlation: number | null;
  /** By count from `counts[0]` on; null where there is none. */
  cells: (SuggestionCell | null)[];
}

export interface View {
  state: PageState;
  choice: Choice;
  nBlocks: number;
  methods: ScoredMethod[];
  /** Of the strip: without variants, but with the one chosen. */
  shownMethods: ScoredMethod[];
  method: ScoredMethod | null;
  /** By block; null where it is not measured yet. */
  removals: (MeasuredLoss | null)[];
  halves: Record<'attention' | 'mlp', { costs: (MeasuredLoss | null)[]; norms: number[] | null }>;
  costRanks: number[] | null;
  surprises: number[];
  /** Where the wings end: four times the median. */
  wings: { score: number; cost: number; attention: number; mlp: number };
  sets: MeasuredSets;
  loss: LossOfChoice;
  facts: Facts;
  counts: number[];
  mostCount: number;
  suggestions: SuggestionRow[];
  /** Suggested sets that are only estimated. */
  unmeasured: DropSet[];
  greedy: { drop: DropSet; costNats: number }[];
  phase: Phase;
}

/** What the analysis is about: an engine that can be asked is there in `ready` alone. */
export type Phase = 'empty' | 'running' | 'ready' | 'failed' | 'cancelled' | 'interrupted';

export const countsShown = 5;

export function viewOf(state: PageState): View {
  const { host, history, firstCount } = state;
  const { analysis, model } = host;
  const { nBlocks } = model;
  const choice = history.present;
  const methods = scoredMethods(analysis?.methods);
  const method = methods.find(({ name }) => name === state.method) ?? methods[0] ?? null;
  const removals = filled(analysis?.removals?.blocks, nBlocks);
  const costs = removals.map((it) => it?.costNats ?? Number.NaN);
  const complete = !costs.some(Number.isNaN);
  const sets = measuredSets(analysis, state.answers);
  const mostCount = Math.max(1, Math.min(nBlocks - 1, nBlocks - choice.protected.length));
  const counts = Array.from({ length: countsShown }, (_, i) => firstCount + i).filter((n) => n <= mostCount);
  const known = costs.filter((cost) => !Number.isNaN(cost));
  const norms = (name: string) => (analysis?.methods?.[name]?.scores as number[] | undefined) ?? null;
  const half = (name: 'attention' | 'mlp', scores: string) => ({
    costs: filled(analysis?.removals?.[name] ?? undefined, nBlocks),
    norms: norms(scores),
  });
  const halves = { attention: half('attention', 'relativeAttentionNorm'), mlp: half('mlp', 'relativeMlpNorm') };
  const greedySteps = analysis?.greedy?.steps ?? [];
  const greedy = greedySteps.map(({ costNats }, i) => ({
    drop: setOfUnits(analysis!.greedy!.order.slice(0, i + 1)),
    costNats,
  }));

  const cellFor = (drop: DropSet | null): SuggestionCell | null =>
    drop && { drop, loss: lossOf(drop, analysis, sets), least: false };
  const shownMethods = methods.filter(({ name }) => !isVariant(name) || name === method?.name);
  const suggestions: SuggestionRow[] = shownMethods.map((it) => ({
    name: it.name,
    label: it.label,
    mark: it.mark,
    kind: 'method',
    correlation: complete && nBlocks > 2 ? rankCorrelation(it.scores, costs) : null,
    cells: counts.map((n) => cellFor(suggestion(it, n, choice.protected))),
  }));
  if (complete)
    suggestions.push({
      name: 'removals',
      label: 'Loss without it',
      mark: '┃',
      kind: 'removals',
      correlation: null,
      cells: counts.map((n) => cellFor(suggestion({ scores: costs, spans: null }, n, choice.protected))),
    });
  if (greedy.length > 0)
    suggestions.push({
      name: 'greedy',
      label: 'Greedy search',
      mark: '',
      kind: 'greedy',
      correlation: null,
      cells: counts.map((n) => cellFor(greedySetOf(greedy, n, choice.protected))),
    });
  counts.forEach((_, i) => {
    markLeast(suggestions.flatMap(({ cells }) => cells[i] ?? []));
  });

  return {
    state,
    choice,
    nBlocks,
    methods,
    shownMethods,
    method,
    removals,
    halves,
    costRanks: complete ? ranks(costs) : null,
    surprises: complete && method ? surprises(method.ranks, costs, choice.protected) : [],
    wings: {
      score: 4 * median(method?.scores ?? []),
      cost: 4 * median(known),
      attention: 4 * median(halves.attention.norms ?? []),
      mlp: 4 * median(halves.mlp.norms ?? []),
    },
    sets,
    loss: lossOf(choice.drop, analysis, sets),
    facts: factsOf(model, choice.drop),
    counts,
    mostCount,
    suggestions,
    unmeasured: distinct(
      suggestions.flatMap(({ cells }) =>
        cells.flatMap((cell) => (cell && cell.loss.kind !== 'measured' ? [cell.drop] : [])),
      ),
    ),
    greedy,
    phase: phaseOf(host.run, analysis?.lossNats !== undefined),
  };
}

/** A search step that counts blocks, and only while it keeps to the protected ones. */
export function greedySetOf(greedy: View['greedy'], count: number, kept: readonly number[]): DropSet | null {
  const step = greedy.find(({ drop }) => drop.blocks.length + (drop.attention.length + drop.mlp.length) / 2 === count);
  if (!step) return null;
  const { blocks, attention, mlp } = step.drop;
  return [...blocks, ...attention, ...mlp].some((block) => kept.includes(block)) ? null : step.drop;
}

/** A measured set of as many whole blocks that costs clearly less; from the search, the methods and all that was asked. */
export function betterSet(view: View): { drop: DropSet; costNats: number; label: string } | null {
  const { loss, choice } = view;
  const n = choice.drop.blocks.length;
  if (loss.kind !== 'measured' || n === 0 || choice.drop.attention.length + choice.drop.mlp.length > 0) return null;
  const candidates = [
    ...view.greedy.map((it) => ({ ...it, label: 'Greedy search' })),
    ...view.suggestions.flatMap(({ label, cells }) =>
      cells.flatMap((cell) =>
        cell?.loss.kind === 'measured' ? [{ drop: cell.drop, costNats: cell.loss.costNats, label }] : [],
      ),
    ),
  ].filter(
    ({ drop, costNats }) =>
      drop.blocks.length === n &&
      drop.attention.length + drop.mlp.length === 0 &&
      !drop.blocks.some((block) => choice.protected.includes(block)) &&
      loss.costNats - costNats > 0.02,
  );
  return candidates.sort((a, b) => a.costNats - b.costNats)[0] ?? null;
}

function phaseOf(run: RunSummary | null, measured: boolean): Phase {
  switch (run?.state) {
    case undefined:
      return measured ? 'ready' : 'empty';
    case 'queued':
    case 'running':
      return 'running';
    case 'done':
      return 'ready';
    default:
      return run!.state as 'failed' | 'cancelled' | 'interrupted';
  }
}

function markLeast(cells: SuggestionCell[]): void {
  const costs = cells.flatMap(({ loss }) => (loss.kind === 'measured' ? [loss.costNats] : []));
  const least = Math.min(...costs);
  for (const cell of cells) cell.least = cell.loss.kind === 'measured' && cell.loss.costNats === least;
}

/** Partial reports hold what is known so far. */
const filled = (list: readonly (MeasuredLoss | null | undefined)[] | undefined, n: number): (MeasuredLoss | null)[] =>
  Array.from({ length: n }, (_, k) => list?.[k] ?? null);

const distinct = (drops: DropSet[]): DropSet[] => [...new Map(drops.map((drop) => [keyOf(drop), drop])).values()];
