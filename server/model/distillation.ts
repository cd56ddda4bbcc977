// Learning what another model expects (arXiv:1503.02531): its likeliest tokens with their probabilities, and all others as
// one. Letters: D width, V vocabulary, K tokens kept, S rows of a slice of the head.
import { add, div, exp, log, max, mul, scale, sub } from '../graph/ops/elementwise';
import { linear, matmul } from '../graph/ops/linear';
import { concat, expand, reshape } from '../graph/ops/movement';
import { reduceSum } from '../graph/ops/reduce';
import { largestPlaces, takeAlong } from '../graph/ops/select';
import { constant, type Graph, input, scalar } from '../graph/value';
import type { ModelConfig } from './config';
import { cappedLogits, capSlope, headInput, onlineSoftmax } from './head';

/**
 * The teacher's side, one slice of its head: normed [rows, D], head [S, D], and of the slices before the largest logits and
 * their ids [rows, K] (ids as float32: below 2^24 they are exact) and the running log-sum-exp's largest and sum [rows, 1].
 * `firstRow` is the id of the slice's first row. normed is divided by the temperature.
 */
export function topTokensSlice(
  config: ModelConfig,
  rows: number,
  sliceRows: number,
  firstRow: number,
  topK: number,
  temperature: number,
): Graph {
  const products = linear(input('normed', [rows, config.width]), headInput(config, sliceRows));
  const logits = cappedLogits(config, products, temperature);
  const ids = constant(
    Float32Array.from({ length: sliceRows }, (_, i) => firstRow + i),
    [1, sliceRows],
  );
  const K = Math.min(topK, sliceRows);
  const places = largestPlaces(logits, K);
  const together = concat([input('topLogits', [rows, topK]), takeAlong(logits, places)], 1);
  const itsIds = concat([input('topIds', [rows, topK]), takeAlong(expand(ids, [rows, sliceRows]), places)], 1);
  const best = largestPlaces(together, topK);
  const { largest, sum } = onlineSoftmax(logits);
  return {
    name: 'topTokensSlice',
    outputs: {
      nextTopLogits: takeAlong(together, best),
      nextTopIds: takeAlong(itsIds, best),
      nextLargest: largest,
      nextSum: sum,
    },
  };
}

/** The end of it: logProbabilities [rows, K]. */
export function topTokensEnd(rows: number, topK: number): Graph {
  const logSumExp = add(log(input('sum', [rows, 1])), input('largest', [rows, 1]));
  return { name: 'topTokensEnd', outputs: { logProbabilities: sub(input('topLogits', [rows, topK]), logSumExp) } };
}

/**
 * The student's side, in place of weightedLoss: KL(teacher || student) over K tokens and the rest as one. Inputs: normed
 * [rows, D] (divided by the temperature), largest, sum [rows, 1] and headRows [rows, D] as headSliceWithRows leaves them,
 * weights [rows, 1], teacherRows [rows, K, D] (the student's head rows of the teacher's tokens), teacherLogProbabilities
 * [rows, K]. With p the teacher's and q the student's shares of the K tokens, P and Q their sums, and rests 1 - P, 1 - Q:
 * the gradient by the student's logit j is q_j (P - (1-P) Q / (1-Q)), and for the K tokens also -p_j + (1-P) q_j / (1-Q).
 * Loss and gradient are multiplied by temperature^2, as the paper does, so that the temperature does not scale the steps.
 */
export function distillationLoss(config: ModelConfig, rows: number, topK: number, temperature: number): Graph {
  const D = config.width;
  const [sum, largest, weights] = ['sum', 'largest', 'weights'].map((name) => input(name, [rows, 1]));
  const teacherRows = input('teacherRows', [rows, topK, D]);
  const normed = input('normed', [rows, D]);
  const products = reshape(matmul(teacherRows, reshape(normed, [rows, D, 1])), [rows, topK]);
  const logits = cappedLogits(config, products, temperature);
  const slope = capSlope(config, logits, temperature);
  const logQ = sub(logits, add(log(sum!), largest!));
  const logP = input('teacherLogProbabilities', [rows, topK]);
  const [p, q] = [exp(logP), exp(logQ)];
  const rest = (shares: typeof p) => max(sub(scalar(1), reduceSum(shares, [-1])), scalar(leastRest));
  const [restP, restQ] = [rest(p), rest(q)];
  const ofTokens = reduceSum(mul(p, sub(logP, logQ)), [-1]);
  const nats = add(ofTokens, mul(restP, sub(log(restP), log(restQ))));
  const odds = div(restP, restQ);
  const ofAll = sub(reduceSum(p, [-1]), mul(odds, reduceSum(q, [-1])));
  const ofLogits = sub(mul(odds, q), p);
  const ofEach = slope ? mul(ofLogits, slope) : ofLogits;
  const expected = div(input('headRows', [rows, D]), sum!);
  const back = add(mul(ofAll, expected), reshape(matmul(reshape(ofEach, [rows, 1, topK]), teacherRows), [rows, D]));
  return {
    name: 'distillationLoss',
    outputs: {
      tokenNats: nats,
      loss: scale(reduceSum(mul(nats, weights!), [0, 1]), temperature ** 2),
      // By normed as it was before it was divided.
      normedGradient: scale(mul(back, weights!), temperature),
    },
  };
}

/** Below it a rest is rounding. */
const leastRest = 1e-6;
