// Budgets: how many blocks have to go, and how narrow the MLPs have to be, so that a model is as large as it may be and no
// larger. All blocks of a model have the same shapes, so sizes say how many go and scores say which: choosing the best of a size
// among equal weights is taking the least scores. Whole blocks are coarse (one in thirty is three percent), so one block
// fewer goes where the rest can come from channels: the same number in every MLP, since config.json has one width for all. Pure.
import { UserError } from '../errors';
import type { Budget, CacheWidth, Dtype } from '../protocol/recipes';
import type { Amount, Fitting, ModelParts, ModelSummary } from '../protocol/reports';
import { defaultMaxShardBytes } from './shardSize';
import { counted, parameters, percent, size } from './numbers';

/** A model as it will be written. */
export interface ModelSizes extends ModelParts {
  readonly nBlocks: number;
  readonly mlpWidth: number;
}

/** In which form a model will be written. */
export interface WrittenForm {
  /** null: as the files hold it. */
  readonly dtype: Dtype | null;
  /** null: as large as weight files are by default. */
  readonly maxShardBytes: number | null;
}

export const usualForm: WrittenForm = { dtype: null, maxShardBytes: null };

/** @throws UserError `badData` for the summary of a version that knew no budgets */
export function sizesOf(
  { nBlocks, mlpWidth, sizeBytes, parts }: Pick<ModelSummary, 'nBlocks' | 'mlpWidth' | 'sizeBytes' | 'parts'>,
  { dtype, maxShardBytes }: WrittenForm,
): ModelSizes {
  if (!parts)
    throw new UserError('badData', 'What the parts of the model weigh is not in this report; analyze the model again.');
  const as = ({ parameters: n, bytes }: Amount): Amount => ({
    parameters: n,
    bytes: dtype === null ? bytes : n * bytesPerNumber[dtype],
  });
  // In half of the files there may be room left. Wider numbers make longer places in headers.
  const nFiles = 1 + Math.floor((2 * widest * sizeBytes) / (maxShardBytes ?? defaultMaxShardBytes));
  const longer = (n: number) => (dtype === null ? n : Math.ceil(1.1 * n));
  return {
    nBlocks,
    mlpWidth,
    outside: as(parts.outside),
    block: as(parts.block),
    channel: as(parts.channel),
    cachedPerToken: parts.cachedPerToken,
    headerBytes: {
      outside: longer(parts.headerBytes.outside) + (nFiles - 1) * frameBytes,
      block: longer(parts.headerBytes.block),
    },
  };
}

/** Of half precision written as float32. */
const widest = 2;
/** What a header has beside its tensors, with padding. */
const frameBytes = 24;
const bytesPerNumber: Record<Dtype, number> = { f32: 4, f16: 2, bf16: 2 };

export const cacheBytes: Record<CacheWidth, number> = { f32: 4, f16: 2, int8: 1 };

/** Of the target: what is so close to it counts as met. */
const near = 0.99;
/** Channels go in the largest groups that meet it: kernels and quantised formats like widths of many twos. */
const groups = [256, 128, 64, 32, 16, 8, 4, 2, 1];
/** More of a model's channels than these go by no scores that anybody has measured. */
const mostOfChannels = 0.5;

/**
 * @param most how many blocks may go
 * @throws UserError `badChoice` where the target is above the whole model, or below all that can be left of it
 */
export function fitting(budget: Budget, sizes: ModelSizes, most: number): Fitting {
  const measure = measureOf(budget, sizes);
  const whole = measure(0, sizes.mlpWidth);
  const { target } = targetOf(budget);
  if (whole <= target) throw aboveAll(budget, whole);
  const least = measure(most, sizes.mlpWidth);
  if (least > target) throw belowAll(budget, most, least);
  const counts = Array.from({ length: most }, (_, i) => i + 1);
  // There is one, since `most` is one of them.
  const count = counts.find((n) => measure(n, sizes.mlpWidth) <= target)!;
  const ofBlocks = { count, mlpWidth: sizes.mlpWidth };
  const close = ({ count: n, mlpWidth }: typeof ofBlocks) => measure(n, mlpWidth) >= near * target;
  const narrower = budget.pieces === 'blocks' || close(ofBlocks) ? [] : narrowed(count - 1, target, sizes, measure);
  // The last of them is the finest.
  const found = close(ofBlocks) ? ofBlocks : (narrower.find(close) ?? narrower.at(-1) ?? ofBlocks);
  return fittingOf(budget, sizes, found, close(found));
}

type Measure = (count: number, mlpWidth: number) => number;
interface Piece {
  readonly count: number;
  readonly mlpWidth: number;
}

/** The widest MLPs with which so many blocks fewer fit, by size of the groups. */
function narrowed(count: number, target: number, { mlpWidth: F, nBlocks }: ModelSizes, measure: Measure): Piece[] {
  const perChannel = measure(count, F) - measure(count, F - 1);
  const widest = F - Math.ceil((measure(count, F) - target) / perChannel);
  if (count >= nBlocks || widest < (1 - mostOfChannels) * F) return [];
  return groups
    .map((group) => ({ count, mlpWidth: Math.floor(widest / group) * group }))
    .filter(({ mlpWidth }) => mlpWidth >= (1 - mostOfChannels) * F);
}

function fittingOf(budget: Budget, sizes: ModelSizes, { count, mlpWidth }: Piece, isClose: boolean): Fitting {
  const left = sizeOf(sizes, count, mlpWidth);
  const fits = {
    count,
    mlpWidth: mlpWidth === sizes.mlpWidth ? null : mlpWidth,
    parameters: left.parameters,
    weightBytes: left.bytes,
    cacheBytes: cacheOf(budget, sizes, count),
  };
  return { ...fits, nearest: isClose ? null : whyNearest(budget, sizes, { count, mlpWidth }) };
}

/** What is left without so many blocks, and with MLPs of that width. */
export function sizeOf(sizes: ModelSizes, count: number, mlpWidth: number): Amount {
  const { nBlocks, outside, block, channel, headerBytes } = sizes;
  const left = nBlocks - count;
  const of = (what: keyof Amount) => outside[what] + left * (block[what] - (sizes.mlpWidth - mlpWidth) * channel[what]);
  return { parameters: of('parameters'), bytes: of('bytes') + headerBytes.outside + left * headerBytes.block };
}

const cacheOf = (budget: Budget, { nBlocks, cachedPerToken }: ModelSizes, count: number): number =>
  budget.kind === 'fit' ? (nBlocks - count) * cachedPerToken * budget.contextTokens * cacheBytes[budget.cache] : 0;

const measureOf =
  (budget: Budget, sizes: ModelSizes): Measure =>
  (count, mlpWidth) => {
    const left = sizeOf(sizes, count, mlpWidth);
    return budget.kind === 'parameters' ? left.parameters : left.bytes + cacheOf(budget, sizes, count);
  };

const targetOf = (budget: Budget) =>
  budget.kind === 'fit'
    ? { target: budget.bytes, inWords: size }
    : { target: budget.parameters, inWords: (n: number) => `${parameters(n)} parameters` };

/** `4.00 GB with the cache of 4096 tokens in f16`, or `2.50 B parameters`. */
export function budgetInWords(budget: Budget): string {
  const { target, inWords } = targetOf(budget);
  return `${inWords(target)}${cacheInWords(budget)}`;
}

const cacheInWords = (budget: Budget): string =>
  budget.kind === 'fit' && budget.contextTokens > 0
    ? ` with the cache of ${counted(budget.contextTokens, 'token')} in ${budget.cache}`
    : '';

function aboveAll(budget: Budget, whole: number): UserError {
  const { inWords } = targetOf(budget);
  return new UserError(
    'badChoice',
    `The model takes ${inWords(whole)}${cacheInWords(budget)} as it is, and may take ${budgetInWords(budget)}: nothing has to go; ask for less.`,
  );
}

function belowAll(budget: Budget, most: number, least: number): UserError {
  const { target, inWords } = targetOf(budget);
  const cache = cacheInWords(budget);
  const less = budget.kind === 'fit' ? `, ${cache ? 'count fewer tokens, ' : ''}or write a narrower --dtype` : '';
  return new UserError(
    'badChoice',
    `Without all ${counted(most, 'block')} that may go, the model still takes ${inWords(least)}${cache}, and not ${inWords(target)}; allow more${less}.`,
  );
}

function whyNearest(budget: Budget, sizes: ModelSizes, { count, mlpWidth }: Piece): string {
  const measure = measureOf(budget, sizes);
  const { target, inWords } = targetOf(budget);
  const found = measure(count, mlpWidth);
  const step = mlpWidth === sizes.mlpWidth ? 'a block' : 'a channel of every MLP';
  const next = mlpWidth === sizes.mlpWidth ? measure(count - 1, mlpWidth) : measure(count, mlpWidth + 1);
  return `The nearest below ${inWords(target)} is ${inWords(found)}, ${percent(1 - found / target)} less: with ${step} more it would be ${inWords(next)}.`;
}

/** How many blocks may go: one stays in any case, and those that are protected. */
export const mostThatMayGo = (nBlocks: number, kept: readonly number[]): number =>
  Math.max(1, Math.min(nBlocks - 1, nBlocks - new Set(kept).size));
