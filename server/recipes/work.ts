// What a recipe's work consists of, in numbers from which memory and time are planned. The engine plans by it before it
// starts, the server to say what a run would cost; nothing here computes.
import { keepsStates } from '../analysis/analyze';
import { forwardMethodNames, type ImportanceMethodName, importanceMethodNames } from '../shared/methods';
import { pathsAtOnce } from '../analysis/measuring';
import { UserError } from '../errors';
import { meant } from '../shared/nearName';
import type { ModelConfig } from '../model/config';
import type { Path } from '../model/path';
import type { DropRule } from '../protocol/recipes';
import { type MeasureOptions, noMeasure } from './analyze/recipe';
import { type MemoryLimits, tensorLimit } from '../execution/memoryLimits';
import { type ExecutionRequest, sequenceOperations } from '../execution/memoryPlan';
import { measuresNothing, measuringRuns } from './analyze/measure';

export interface Work
  extends Pick<
    ExecutionRequest,
    'nSequences' | 'tokensPerSequence' | 'keepStates' | 'backward' | 'nVariants' | 'cacheBytes' | 'hostBytes'
  > {
  /** What will be passed; the weights of other blocks are not read. Default: all blocks. */
  readonly path?: Path;
  /** Passes of one sequence beyond the first pass, for the estimate of time. */
  readonly more?: { readonly blockRuns: number; readonly headRuns: number };
}

/** Floating-point operations of all of it. */
export function operationsOf(config: ModelConfig, { nSequences, tokensPerSequence, path, more }: Work): number {
  const each = sequenceOperations(config, tokensPerSequence);
  const { blockRuns, headRuns } = more ?? { blockRuns: 0, headRuns: 0 };
  const blocks = blockRuns + (path?.length ?? config.nBlocks);
  return nSequences * (blocks * each.block + (1 + headRuns) * each.head);
}

export interface WantedScores {
  readonly methods: readonly ImportanceMethodName[];
  readonly measure: MeasureOptions;
  readonly stay: boolean;
}

/** The work of an analysis of so many sequences. */
export function analysisWork(
  config: ModelConfig,
  { nSequences, tokensPerSequence }: Pick<Work, 'nSequences' | 'tokensPerSequence'>,
  { methods, measure, stay }: WantedScores,
  limits: MemoryLimits,
): Work & { measures: boolean; cacheBytes: number } {
  const backward = methods.includes('taylor');
  const shape = { nSequences, tokensPerSequence, keepStates: keepsStates(methods), backward };
  const measures = stay || !measuresNothing(measure);
  // Up, down, and each block's inside once more; the gradients by weights are as many products again.
  const back = backward ? { blockRuns: 4 * config.nBlocks, headRuns: 2 } : { blockRuns: 0, headRuns: 0 };
  if (!measures) return { ...shape, measures, cacheBytes: 0, more: back };
  const cacheBytes = cacheBytesFor(config, nSequences * tokensPerSequence, measure, tensorLimit(limits));
  const measured = measuringRuns(config, measure, methods.length + 3);
  const more = {
    blockRuns: back.blockRuns + measured.blockRuns,
    headRuns: back.headRuns + measured.headRuns,
  };
  return { ...shape, measures, keepStates: true, nVariants: pathsAtOnce, cacheBytes, more };
}

/** No more than this of hidden states stays in memory, nor more than a share of what may be used. */
const mostCacheBytes = 1.5e9;
const cacheShare = 0.2;

/** The states of the original, and, for a search and for questions, those of a round of candidates. */
function cacheBytesFor(
  { nBlocks, width }: ModelConfig,
  nTokens: number,
  { greedy }: MeasureOptions,
  limitBytes: number,
): number {
  const stateBytes = nTokens * width * 4;
  const states = nBlocks + (greedy ? nBlocks * nBlocks : 4 * nBlocks);
  return Math.floor(Math.min(mostCacheBytes, cacheShare * limitBytes, states * stateBytes));
}

/** What has to be measured so that a method can choose. */
export function scoresForRule({ method, count, protected: kept }: DropRule & { kind: 'method' }) {
  if (method === 'removal') return { methods: [], measure: { ...noMeasure, removals: 'blocks' as const } };
  const greedy = { count, of: 'blocks' as const, racingConfidence: null, protected: kept };
  if (method === 'greedy') return { methods: [], measure: { ...noMeasure, greedy } };
  return { methods: methodNames([method]), measure: noMeasure };
}

/** `all` is every method that needs forward passes only, `none` leaves the losses. Throws UserError('usage') for a name that is none. */
export function methodNames(names: readonly string[]): ImportanceMethodName[] {
  if (names.includes('all'))
    return [...new Set([...forwardMethodNames, ...importanceMethodNames.filter((name) => names.includes(name))])];
  if (names.length === 1 && names[0] === 'none') return [];
  const unknown = names.find((name) => !importanceMethodNames.includes(name as ImportanceMethodName));
  if (unknown !== undefined)
    throw new UserError(
      'usage',
      `There is no method ${unknown}${meant(unknown, importanceMethodNames, `; choose from all, none, ${importanceMethodNames.join(', ')}.`)}`,
    );
  return [...new Set(names)] as ImportanceMethodName[];
}
