// From the last hidden state to the loss, with the vocabulary worked in slices: no tensor of all logits ever exists.
// Letters: B batch, T tokens, D width, V vocabulary.
import { add, exp, log, max, mul, scale, square, sub } from '../graph/ops/elementwise';
import { linear } from '../graph/ops/linear';
import { reshape, slice } from '../graph/ops/movement';
import { takeAlong, takeRows } from '../graph/ops/select';
import { reduceMax, reduceMean, reduceSum } from '../graph/ops/reduce';
import { type Graph, input, scalar, type Value } from '../graph/value';
import type { ModelConfig } from './config';
import type { BatchShape } from './blockInputs';
import { norm, softCap } from './form';
import { weightValue } from './storage';

/**
 * hidden [B*T, D] -> normed [B*(T-1), D]: the final norm of the positions that predict a token of their sequence, divided by a
 * temperature that the logits are to have.
 */
export function finalNorm(config: ModelConfig, { batch, tokens }: BatchShape, temperature = 1): Graph {
  const h = input('hidden', [batch * tokens, config.width]);
  const D = config.width;
  const predicting = reshape(slice(reshape(h, [batch, tokens, D]), 1, 0, tokens - 1), [batch * (tokens - 1), D]);
  return { name: 'finalNorm', outputs: { normed: normedFor(config, predicting, temperature) } };
}

/** The final norm, scaled so that products with the head's rows are logits, up to their cap. */
function normedFor(config: ModelConfig, hidden: Value, temperature = 1): Value {
  const normed = norm(config, hidden, input('norm', [config.width]));
  const factor = config.form.scales.logits / temperature;
  return factor === 1 ? normed : scale(normed, factor);
}

/** Products of normed states with rows of the head as logits. The cap is that of logits before the temperature divides them. */
export const cappedLogits = ({ form }: ModelConfig, products: Value, temperature = 1): Value =>
  softCap(products, capAt(form.softCaps.logits, temperature));

/** What a gradient with respect to logits is multiplied by to be one with respect to the products; null where that is 1. */
export function capSlope({ form }: ModelConfig, logits: Value, temperature = 1): Value | null {
  const cap = capAt(form.softCaps.logits, temperature);
  return cap === null ? null : sub(scalar(1), square(scale(logits, 1 / cap)));
}

/** A slice of the output head [rows, D] as it is fed. */
export const headInput = (config: ModelConfig, rows: number): Value =>
  weightValue(config.storage?.head ?? 'f32', 'head', [rows, config.width]);

const capAt = (cap: number | null, temperature: number) => (cap === null ? null : cap / temperature);

/** The running maximum and the running sum before the first slice. */
export const beforeFirstSlice = { largest: -3e38, sum: 0 } as const;

/** The running maximum and sum of exponentials after a slice of logits [rows, S]; before it they are inputs [rows, 1]. */
export interface OnlineSoftmax {
  readonly largest: Value; // [rows, 1]
  readonly sum: Value; // [rows, 1]
  /** Exponentials of the slice relative to the new maximum, [rows, S]. */
  readonly weights: Value;
  /** The factor for sums made relative to the old maximum, [rows, 1]. */
  readonly rescale: Value;
}

export function onlineSoftmax(logits: Value): OnlineSoftmax {
  const rows = logits.shape[0]!;
  const largestBefore = input('largest', [rows, 1]);
  const largest = max(largestBefore, reduceMax(logits, [-1]));
  const weights = exp(sub(logits, largest));
  const rescale = exp(sub(largestBefore, largest));
  return {
    largest,
    sum: add(mul(input('sum', [rows, 1]), rescale), reduceSum(weights, [-1])),
    weights,
    rescale,
  };
}

/**
 * One slice of the vocabulary: normed [rows, D], head [S, D] and the running largest logit and sum of exponentials, each
 * [rows, 1], give the next ones. Spelled out because onnxruntime's ReduceLogSumExp adds naively, which costs 1e-4 nats
 * over 49 thousand logits, and WebGPU has no LogSoftmax.
 */
export function headSlice(config: ModelConfig, rows: number, sliceRows: number): Graph {
  const products = linear(input('normed', [rows, config.width]), headInput(config, sliceRows));
  const logits = cappedLogits(config, products);
  const { largest, sum } = onlineSoftmax(logits);
  return { name: 'headSlice', outputs: { nextLargest: largest, nextSum: sum } };
}

/**
 * normed [rows, D], the head's rows of the tokens that came, targets [rows, D], and the sums after the last slice give
 * the loss of every prediction, tokenNats [B, T-1]: log sum exp(logits) - logit of the target, and its mean by sequence,
 * lossNats [B].
 */
export function sequenceLoss(config: ModelConfig, { batch, tokens }: BatchShape): Graph {
  const rows = batch * (tokens - 1);
  const products = mul(input('normed', [rows, config.width]), input('targets', [rows, config.width]));
  const targetLogit = cappedLogits(config, reduceSum(products, [-1]));
  const nats: Value = sub(add(log(input('sum', [rows, 1])), input('largest', [rows, 1])), targetLogit);
  const tokenNats = reshape(nats, [batch, tokens - 1]);
  return { name: 'sequenceLoss', outputs: { tokenNats, lossNats: reshape(reduceMean(tokenNats, [1]), [batch]) } };
}

/** Logits [rows, S] of hidden [rows, D] against one slice of the head [S, D], after the final norm. */
export function logitsSlice(config: ModelConfig, rows: number, sliceRows: number): Graph {
  const normed = normedFor(config, input('hidden', [rows, config.width]));
  const logits = cappedLogits(config, linear(normed, headInput(config, sliceRows)));
  return { name: 'logitsSlice', outputs: { logits } };
}

/** hidden [N, D], the places [rows] of those that predict something -> normed [rows, D] after the final norm. */
export function normedRows(config: ModelConfig, nHidden: number, rows: number): Graph {
  const taken = takeRows(input('hidden', [nHidden, config.width]), input('places', [rows], 'int64'));
  return { name: 'normedRows', outputs: { normed: normedFor(config, taken) } };
}

/**
 * headSlice that also keeps the logits of M tokens a row: ids [rows, M] counted from the slice's first row (any id of the
 * slice where the token is not in it), inside [rows, M] one where it is and else zero, wanted [rows, M] the logits so far.
 */
export function scoringSlice(config: ModelConfig, rows: number, sliceRows: number, nIds: number): Graph {
  const products = linear(input('normed', [rows, config.width]), headInput(config, sliceRows));
  const logits = cappedLogits(config, products);
  const { largest, sum } = onlineSoftmax(logits);
  const here = mul(takeAlong(logits, input('ids', [rows, nIds], 'int64')), input('inside', [rows, nIds]));
  const wanted = add(input('wanted', [rows, nIds]), here);
  return { name: 'scoringSlice', outputs: { nextLargest: largest, nextSum: sum, nextWanted: wanted } };
}

/** After the last slice: the log-likelihood of each token, [rows, M], and how far its logit is below the largest one. */
export function tokenScores(rows: number, nIds: number): Graph {
  const largest = input('largest', [rows, 1]);
  const wanted = input('wanted', [rows, nIds]);
  const behind = sub(largest, wanted);
  const logLikelihood = sub(wanted, add(log(input('sum', [rows, 1])), largest));
  return { name: 'tokenScores', outputs: { logLikelihood, behind } };
}
