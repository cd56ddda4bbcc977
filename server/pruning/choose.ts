// From scores to a drop set. Nothing here knows how the scores were measured. Blocks count from 0.
import { UserError } from '../errors';
import type { DropRule, DropSet } from '../protocol/recipes';
import type { MethodScores } from '../protocol/reports';
import type { AnalyzeReport, GreedyReport } from '../recipes/analyze/recipe';
import { blockOf, checkDropSet, dropSetOf, ofBlocks } from '../shared/dropSets';
import { orderOf } from '../shared/finite';
import { someNames } from '../shared/someNames';
import { rowOf } from '../shared/rowOf';
import { leastBlocks, leastSpan } from '../shared/leastScores';

export interface Choice {
  readonly drop: DropSet;
  /** Its blocks, least important first; for spans and depths in order of depth. */
  readonly order: number[];
  /** The score of each block in `order`, or of the whole span; empty where no score was used. */
  readonly scores: number[];
}

/** What there is to choose by. */
export type Scores = Pick<AnalyzeReport, 'methods'> & Partial<Pick<AnalyzeReport, 'notFinite' | 'removals' | 'greedy'>>;

/**
 * Applies a rule to a model of `nBlocks` blocks.
 * @throws UserError `badChoice` when it cannot be followed, `notFinite` when what it would choose by is not
 */
export function choose(rule: DropRule, nBlocks: number, { methods, notFinite, removals, greedy }: Scores): Choice {
  if (rule.kind === 'chosen') {
    const drop = checkDropSet(rule, nBlocks);
    return { drop, order: drop.blocks, scores: [] };
  }
  checkCount(rule.count, nBlocks, checkProtected(rule.protected, nBlocks));
  if (rule.kind === 'deepest') return deepest(rule.count, nBlocks, rule.protected);
  if (rule.method === 'removal' && removals)
    return ofLeastBlocks(
      removals.blocks.map(({ lossNats }) => orderOf(lossNats)),
      rule.count,
      rule.protected,
    );
  if (rule.method === 'greedy' && greedy) return firstOfSearch(greedy, rule.count, rule.protected);
  const lost = notFinite?.find(({ method }) => method === rule.method);
  if (lost)
    throw new UserError(
      'notFinite',
      `The score of block ${lost.block} by ${rule.method} is not finite, so that nothing is chosen by it; choose by another method.`,
    );
  const method = rowOf(methods, rule.method);
  if (!method) {
    const measured = [...(removals ? ['removal'] : []), ...(greedy ? ['greedy'] : [])];
    const known = someNames([...Object.keys(methods), ...measured]) || 'none';
    throw new UserError('badChoice', `There are no scores of the method ${rule.method}; this report has: ${known}.`);
  }
  return method.of === 'span'
    ? ofLeastSpan(method.scores as number[][], rule.count, rule.protected)
    : ofLeastBlocks(method.scores as number[], rule.count, rule.protected);
}

/** Refuses what no scores can make possible, before any are measured. `of`: what a score of the method belongs to. */
export function checkRule(rule: DropRule, nBlocks: number, of: MethodScores['of']): void {
  if (rule.kind !== 'method') return void choose(rule, nBlocks, { methods: {} });
  const zeros = (n: number) => Array.from({ length: n }, () => 0);
  const scores = of === 'span' ? zeros(nBlocks).map((_, n) => zeros(nBlocks - n)) : zeros(nBlocks);
  choose(rule, nBlocks, { methods: { [rule.method]: { unit: '', of, paper: '', scores, standardErrors: scores } } });
}

function ofLeastBlocks(scores: readonly number[], count: number, kept: readonly number[]): Choice {
  const order = leastBlocks(scores, count, kept);
  // That enough are free was checked with the count.
  if (!order)
    throw new UserError(
      'notFinite',
      `The loss without a block is finite for fewer than ${count} blocks that may go, and no others are chosen; drop fewer.`,
    );
  return { drop: ofBlocks(order), order, scores: order.map((k) => scores[k]!) };
}

/** What a search left out first. Other blocks cannot be protected afterwards: each step depends on those before it. */
function firstOfSearch({ order, lossNats }: GreedyReport, count: number, kept: readonly number[]): Choice {
  if (count > order.length)
    throw new UserError('badChoice', `The search went on for ${order.length} only; search with --greedy ${count}.`);
  const units = order.slice(0, count);
  const lost = units.map(blockOf).find((block) => kept.includes(block));
  if (lost !== undefined)
    throw new UserError(
      'badChoice',
      `The search dropped block ${lost}, which is to be protected; search again with --protect.`,
    );
  const drop = dropSetOf(units);
  const blocks = units.filter((unit) => typeof unit === 'number');
  const areBlocks = blocks.length === units.length;
  return {
    drop,
    order: areBlocks ? blocks : drop.blocks,
    scores: areBlocks ? lossNats.slice(0, count) : [],
  };
}

function ofLeastSpan(scores: readonly (readonly number[])[], count: number, kept: readonly number[]): Choice {
  const order = leastSpan(scores, count, kept);
  if (!order)
    throw new UserError(
      'badChoice',
      `No ${count} consecutive blocks are free of the protected ones; protect fewer or drop fewer.`,
    );
  return { drop: ofBlocks(order), order, scores: [scores[count - 1]![order[0]!]!] };
}

/** The deepest blocks but the very last one, which prepares the output (arXiv:2403.17887, section 4). */
function deepest(count: number, nBlocks: number, kept: readonly number[]): Choice {
  const free = Array.from({ length: nBlocks - 1 }, (_, k) => k).filter((k) => !kept.includes(k));
  if (count > free.length)
    throw new UserError(
      'badChoice',
      `Only ${free.length} blocks may go, since the last one stays; drop at most that many.`,
    );
  const blocks = free.slice(free.length - count);
  return { drop: ofBlocks(blocks), order: [...blocks].reverse(), scores: [] };
}

function checkProtected(blocks: readonly number[], nBlocks: number): number {
  const outside = blocks.find((block) => block >= nBlocks);
  if (outside !== undefined)
    throw new UserError('badChoice', `Block ${outside} cannot be protected: the model has blocks 0 to ${nBlocks - 1}.`);
  return new Set(blocks).size;
}

function checkCount(count: number, nBlocks: number, nProtected: number): void {
  const most = Math.min(nBlocks - 1, nBlocks - nProtected);
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw new UserError(
      'badChoice',
      `${count} blocks cannot be dropped: the model has ${nBlocks}, of which at most ${most} may go.`,
    );
}
