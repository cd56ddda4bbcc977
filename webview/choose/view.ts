// Everything that the page shows of one state, computed once before a rendering: ranks, surprises, known losses,
// suggestions. No part of the page computes such things for itself.
import { mostThatMayGo } from '../../server/shared/budget';
import type { DropSet } from '../../server/protocol/recipes';
import type { MeasuredLoss } from '../../server/protocol/reports';
import type { RunSummary } from '../../server/protocol/server';
import { dropSetOf, isEmpty, keyOf } from '../../server/shared/dropSets';
import { orderOf } from '../../server/shared/finite';
import type { Sublayer } from '../../server/shared/sublayers';
import { fittingOf, mlpWidthOf } from './askedSize';
import type { Choice } from './choice';
import { type Facts, factsOf } from './facts';
import { isKnown, type LossOfChoice, lossOf, type MeasuredSets, measuredSets } from './measured';
import { isVariant, type ScoredMethod, scoredMethods } from './methods';
import { median, ranks, surprises } from './ranks';
import { canAsk, type PageState } from './state';
import { type GreedySet, type SuggestionRow, suggestionRows, unmeasuredSets } from './suggestions';

export interface View {
  state: PageState;
  choice: Choice;
  nBlocks: number;
  methods: ScoredMethod[];
  /** Of the strip of ranks: without variants, but with the one chosen. */
  shownMethods: ScoredMethod[];
  method: ScoredMethod | null;
  /** By block; null where it is not measured yet. */
  removals: (MeasuredLoss | null)[];
  sublayers: Record<Sublayer, SublayerNumbers>;
  costRanks: number[] | null;
  surprises: number[];
  /** The values at which the bars of the table end: four times the median. */
  barEnds: { score: number; cost: number } & Record<Sublayer, number>;
  sets: MeasuredSets;
  loss: LossOfChoice;
  facts: Facts;
  /** How many channels of the MLPs stay; null: all. */
  mlpWidth: number | null;
  counts: number[];
  mostCount: number;
  suggestions: SuggestionRow[];
  /** For other counts. */
  suggestionsOf(counts: readonly number[]): SuggestionRow[];
  /** Suggested sets that are only estimated. */
  unmeasured: DropSet[];
  greedy: GreedySet[];
  phase: Phase;
}

/** By block: what leaving the sublayer out costs, and the norm of its output over that of its input. */
export interface SublayerNumbers {
  costs: (MeasuredLoss | null)[];
  norms: number[] | null;
}

/** How the analysis stands; only in `ready` can the engine be asked. */
export type Phase = 'empty' | 'running' | 'ready' | 'failed' | 'cancelled' | 'interrupted';

export const countsShown = 5;

export function viewOf(state: PageState): View {
  const { host, history, firstCount } = state;
  const { analysis, model } = host;
  const { nBlocks } = model;
  const choice = history.present;
  const methods = scoredMethods(analysis?.methods);
  const method = methods.find(({ name }) => name === state.method) ?? methods[0] ?? null;
  const shownMethods = methods.filter(({ name }) => !isVariant(name) || name === method?.name);
  const removals = byBlock(analysis?.removals?.blocks, nBlocks);
  const measured = removals.flatMap((removal) => (removal ? [orderOf(removal.costNats)] : []));
  const costs = measured.length === nBlocks ? measured : null;
  const sublayers = sublayersOf(analysis, nBlocks);
  const sets = measuredSets(analysis, state.answers);
  const greedy = greedySetsOf(analysis);
  const mostCount = mostThatMayGo(nBlocks, choice.protected);
  const counts = Array.from({ length: countsShown }, (_, i) => firstCount + i).filter((n) => n <= mostCount);
  const suggestionsOf = (of: readonly number[]) =>
    suggestionRows({
      methods: shownMethods,
      costs,
      greedy,
      counts: of,
      kept: choice.protected,
      lossOf: (drop) => lossOf(drop, analysis, sets),
    });
  const suggestions = suggestionsOf(counts);
  return {
    state,
    choice,
    nBlocks,
    methods,
    shownMethods,
    method,
    removals,
    sublayers,
    costRanks: costs && ranks(costs),
    surprises: costs && method ? surprises(method.ranks, costs, choice.protected) : [],
    barEnds: {
      score: 4 * median(method?.scores ?? []),
      cost: 4 * median(measured.filter(Number.isFinite)),
      attention: 4 * median(sublayers.attention.norms ?? []),
      mlp: 4 * median(sublayers.mlp.norms ?? []),
    },
    sets,
    loss: lossOf(choice.drop, analysis, sets),
    facts: factsOf(model, choice.drop, fittingOf(state.size, choice.drop)),
    mlpWidth: mlpWidthOf(state.size, choice.drop),
    counts,
    mostCount,
    suggestions,
    suggestionsOf,
    unmeasured: unmeasuredSets(suggestions),
    greedy,
    phase: phaseOf(host.run, analysis?.lossNats !== undefined),
  };
}

/** The present choice if its loss is not known, else the next of the queue; null: there is nothing to ask. */
export function nextQuestion(state: PageState): DropSet | null {
  if (!canAsk(state)) return null;
  const { loss, choice, facts, sets } = viewOf(state);
  const isAskable = !isEmpty(choice.drop) && facts.nBlocksLeft > 0;
  if (!isKnown(loss) && isAskable && state.refusal === null) return choice.drop;
  return state.queue?.find((drop) => !sets.has(keyOf(drop))) ?? null;
}

/** A measured set of as many whole blocks that costs clearly less: of the search or of a method. */
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

/** The method whose heat map is drawn: the chosen one if it scores spans, else the first that does. */
export const spanMethod = ({ method, methods }: View): ScoredMethod | null =>
  method?.spans ? method : (methods.find(({ spans }) => spans !== null) ?? null);

type Analysis = PageState['host']['analysis'];

function sublayersOf(analysis: Analysis, nBlocks: number): View['sublayers'] {
  const numbers = (sublayer: Sublayer, method: string): SublayerNumbers => ({
    costs: byBlock(analysis?.removals?.[sublayer] ?? undefined, nBlocks),
    norms: (analysis?.methods?.[method]?.scores as number[] | undefined) ?? null,
  });
  return { attention: numbers('attention', 'relativeAttentionNorm'), mlp: numbers('mlp', 'relativeMlpNorm') };
}

const greedySetsOf = (analysis: Analysis): GreedySet[] =>
  (analysis?.greedy?.steps ?? []).map(({ costNats }, i) => ({
    drop: dropSetOf(analysis!.greedy!.order.slice(0, i + 1)),
    costNats,
  }));

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

/** Partial reports hold what is known so far. */
const byBlock = (list: readonly (MeasuredLoss | null | undefined)[] | undefined, n: number): (MeasuredLoss | null)[] =>
  Array.from({ length: n }, (_, k) => list?.[k] ?? null);
