// The part of an analysis that measures losses: removals, a search, what the methods suggest, and sets that were asked for.
import { checkGreedyCount, greedySearch } from '../../analysis/greedy';
import type { Measuring } from '../../analysis/measuring';
import { measureRemovals } from '../../analysis/removals';
import { UserError } from '../../errors';
import type { ModelConfig } from '../../model/config';
import { pathWithout } from '../../model/path';
import { choose } from '../../pruning/choose';
import { notFinite as notFiniteLoss } from '../../shared/finite';
import { checkDropSet } from '../../shared/dropSets';
import type { DropSet } from '../../protocol/recipes';
import type { GreedyOptions, MeasureOptions, AnalyzeReport, SuggestionReport } from './recipe';
import { choosingMethodNames } from '../../shared/methods';

/** The parts of a report that come from measured losses. */
export type MeasuredParts = Pick<AnalyzeReport, 'removals' | 'greedy' | 'suggestions' | 'whatIf' | 'work'>;

export const measuresNothing = ({ removals, greedy, suggestions, whatIf }: MeasureOptions): boolean =>
  removals === 'none' && greedy === null && suggestions === 0 && whatIf.length === 0;

/** Refuses what cannot be measured before anything is computed. */
export function checkMeasure(config: ModelConfig, { removals, greedy, suggestions, whatIf }: MeasureOptions): void {
  const { nBlocks } = config;
  if (nBlocks === 1 && removals !== 'none')
    throw new UserError('badChoice', 'This model has a single block, so none can be removed; leave out --removals.');
  if (greedy) {
    const free = nBlocks - new Set(greedy.protected).size;
    checkGreedyCount(greedy.count, greedy.of, greedy.of === 'blocks' ? free : 2 * free, nBlocks);
    const { racingConfidence } = greedy;
    if (racingConfidence !== null && !(racingConfidence > 0 && racingConfidence < 1))
      throw new UserError(
        'usage',
        `A confidence of ${racingConfidence} makes no sense; give --racing a number such as 0.95.`,
      );
  }
  if (suggestions >= nBlocks)
    throw new UserError('badChoice', `${suggestions} blocks cannot be suggested: the model has ${nBlocks}.`);
  for (const drop of whatIf) checkDropSet(drop, nBlocks);
}

/**
 * How much it will be, in passes of one sequence through a block and through the head; of a search, which depends on what it
 * finds, about.
 */
export function measuringRuns(
  { nBlocks: N }: ModelConfig,
  { removals, greedy, suggestions, whatIf }: MeasureOptions,
  nMethods: number,
): { blockRuns: number; headRuns: number } {
  const tails = (n: number) => (n * (n - 1)) / 2;
  const kinds = { none: 0, blocks: 1, sublayers: 3 }[removals];
  const units = greedy ? (greedy.of === 'blocks' ? N : 2 * N) : 0;
  let blockRuns = kinds * tails(N) + (nMethods * suggestions + whatIf.length) * (N / 2);
  let headRuns = kinds * N + nMethods * suggestions + whatIf.length;
  for (let step = 0; greedy && step < greedy.count; step++) {
    const share = greedy.racingConfidence === null ? 1 : 0.5;
    blockRuns += share * ((units - step) / 2) * (N - step * (N / units));
    headRuns += share * (units - step);
  }
  return { blockRuns, headRuns };
}

export interface MeasureRun {
  readonly signal: AbortSignal;
  onProgress(step: string, fraction: number): void;
  /** What is known so far. */
  onPart(part: Partial<AnalyzeReport>): void;
}

/** Measures what was asked for; what one part found is not measured again for another. */
export async function measureLosses(
  measuring: Measuring,
  options: MeasureOptions,
  { methods, notFinite }: Pick<AnalyzeReport, 'methods' | 'notFinite'>,
  run: MeasureRun,
): Promise<MeasuredParts> {
  const { config } = measuring.model;
  const at = (step: string) => ({
    signal: run.signal,
    onProgress: (fraction: number) => run.onProgress(step, fraction),
  });
  const lossesOf = (drops: readonly DropSet[], step: string) =>
    measuring.losses(
      drops.map((drop) => pathWithout(config, drop)),
      at(step),
    );
  const parts: MeasuredParts = { removals: null, greedy: null, suggestions: null, whatIf: null, work: null };
  const add = (part: Partial<MeasuredParts>) => {
    Object.assign(parts, part);
    run.onPart(part);
  };

  if (options.removals !== 'none') {
    // The first round of a search is the removals; what it computes on the way serves the second.
    const ofRemovals = { ...at('removals'), ...(options.greedy && { keeps: () => 'spare' as const }) };
    await measureRemovals(measuring, options.removals, ofRemovals, (removals) => add({ removals }));
  }
  if (options.greedy) add({ greedy: await greedySearch(measuring, options.greedy, at('search')) });
  if (options.suggestions > 0) {
    const suggested = suggestions(
      config,
      options.suggestions,
      { ...parts, methods, ...(notFinite && { notFinite }) },
      options.greedy,
    );
    const losses = await lossesOf(
      suggested.map(({ drop }) => drop),
      'suggestions',
    );
    add({ suggestions: suggested.map((suggestion, i) => ({ ...suggestion, ...losses[i]! })) });
  }
  if (options.whatIf.length > 0) {
    const drops = options.whatIf.map((drop) => checkDropSet(drop, config.nBlocks));
    const losses = await lossesOf(drops, 'what if');
    add({ whatIf: drops.map((drop, i) => ({ drop, ...losses[i]! })) });
  }
  add({ work: measuring.work() });
  return parts;
}

/** For how many blocks a method can say what it would drop. */
function reachOf(
  method: string,
  most: number,
  scores: Parameters<typeof choose>[2],
  greedy: GreedyOptions | null,
): number {
  if (method === 'greedy') return greedy?.of === 'blocks' ? scores.greedy!.order.length : 0;
  if (method !== 'removal') return most;
  const kept = greedy?.protected ?? [];
  return scores.removals!.blocks.filter(({ lossNats }, block) => lossNats !== notFiniteLoss && !kept.includes(block))
    .length;
}

/** What every method would drop, for every count; a search as far as it went. */
function suggestions(
  { nBlocks }: ModelConfig,
  most: number,
  scores: Parameters<typeof choose>[2],
  greedy: GreedyOptions | null,
): Pick<SuggestionReport, 'method' | 'count' | 'drop'>[] {
  const names = [...Object.keys(scores.methods), ...choosingMethodNames];
  return names.flatMap((method) => {
    if (method === 'removal' && !scores.removals) return [];
    const reach = reachOf(method, most, scores, greedy);
    return Array.from({ length: Math.min(most, reach) }, (_, i) => {
      const common = { count: i + 1, protected: greedy?.protected ?? [] };
      const rule =
        method === 'deepest'
          ? ({ kind: 'deepest', ...common } as const)
          : ({ kind: 'method', method, ...common } as const);
      return { method, count: i + 1, drop: choose(rule, nBlocks, scores).drop };
    });
  });
}
