// The arithmetic of importance: norms, cosines and angles in the graph language. Everything is reduced to one number a
// sequence inside the graph, so that no hidden state has to leave the device. Letters: B batch, T tokens, D width.
import { abs, add, div, max, min, mul, scale, sqrt, square, sub } from '../graph/ops/elementwise';
import { matmul } from '../graph/ops/linear';
import { concat, reshape, slice, transpose } from '../graph/ops/movement';
import { reduceMean, reduceSum } from '../graph/ops/reduce';
import { type Graph, input, scalar, type Value } from '../graph/value';
import type { BatchShape } from '../model/blockInputs';
import type { BlockParts } from '../model/block';
import type { ModelConfig } from '../model/config';
import { norm as finalNorm } from '../model/form';
import type { AngularScore, TokenNorms } from '../shared/methods';

/** Length along the last axis. Square and sum, because onnxruntime's ReduceSumSquare is the slower of the two. */
export const norm = (x: Value): Value => sqrt(reduceSum(square(x), [-1]));

/** Each [B*T, 1]. */
export const tokenNorms = (parts: BlockParts): TokenNorms<Value> => ({
  hiddenIn: norm(parts.hiddenIn),
  attention: norm(parts.attention),
  between: norm(parts.between),
  mlp: norm(parts.mlp),
  hiddenOut: norm(parts.hiddenOut),
  change: norm(sub(parts.hiddenOut, parts.hiddenIn)),
});

/**
 * 1 - cos(u, v) from |u|, |v| and |v - u|: (|v - u|^2 - (|u| - |v|)^2) / (2 |u| |v|). Unlike 1 minus a quotient it does
 * not lose its digits when u and v nearly agree, which is the case of interest.
 */
export function oneMinusCosine(u: Value, v: Value, difference: Value): Value {
  const lengths = max(scale(mul(u, v), 2), scalar(1e-30));
  return div(sub(square(difference), square(sub(u, v))), lengths);
}

/** [B*T, 1] -> [1, B]: the mean over the tokens of each sequence. */
export const sequenceMeans = (perToken: Value, { batch, tokens }: BatchShape): Value =>
  reshape(reduceMean(reshape(perToken, [batch, tokens]), [1]), [1, batch]);

/**
 * Angles between all pairs of hidden states, arccos(cos(h[i], h[j])) / pi, from inputs h0..hN, each [B*T, D]:
 * `allTokens` and `lastToken`, each [B, N+1, N+1]; the former averaged over the tokens of each sequence.
 */
export function anglesBetweenStates(
  nStates: number,
  width: number,
  { batch, tokens }: BatchShape,
  outputs: readonly AngularScore[],
): Graph {
  const states = Array.from({ length: nStates }, (_, i) => input(`h${i}`, [batch * tokens, width]));
  const anglesOf = (start: number, end: number): Value => {
    const stacked = concat(
      states.map((h) => reshape(slice(h, 0, start, end), [end - start, 1, width])),
      1,
    );
    const lengths = norm(stacked);
    const products = matmul(stacked, transpose(stacked, [0, 2, 1]));
    return scale(arccos(div(products, mul(lengths, transpose(lengths, [0, 2, 1])))), 1 / Math.PI);
  };
  const sequences = Array.from({ length: batch }, (_, b) => b * tokens);
  const lastOf = (start: number) => anglesOf(start + tokens - 1, start + tokens);
  const meanOf = (start: number) => {
    const chunks: Value[] = [];
    for (let at = 0; at < tokens; at += stackedTokens)
      chunks.push(reduceSum(anglesOf(start + at, start + Math.min(tokens, at + stackedTokens)), [0]));
    return scale(chunks.reduce(add), 1 / tokens);
  };
  const made: Record<AngularScore, () => Value> = {
    lastToken: () => concat(sequences.map(lastOf), 0),
    allTokens: () => concat(sequences.map(meanOf), 0),
  };
  return { name: 'anglesBetweenStates', outputs: Object.fromEntries(outputs.map((name) => [name, made[name]()])) };
}

/** All states of this many tokens together stay in cache. */
const stackedTokens = 128;

/** 1 - mean cos(h[N-1], norm(h[N])), [B]: what comes out when the last hidden state is taken after the final norm. */
export function influenceThroughFinalNorm(config: ModelConfig, batch: BatchShape): Graph {
  const rows = [batch.batch * batch.tokens, config.width];
  const before = input('before', rows);
  const after = finalNorm(config, input('after', rows), input('norm', [config.width]));
  const perToken = oneMinusCosine(norm(before), norm(after), norm(sub(after, before)));
  return {
    name: 'influenceThroughFinalNorm',
    outputs: { scores: reshape(sequenceMeans(perToken, batch), [batch.batch]) },
  };
}

/** Sum of |w| over all elements, [1]: along rows first, so that float32 sums stay short. */
export const sumOfMagnitudes = (w: Value): Value => total(reduceSum(abs(w), [-1]));
export const sumOfSquares = (w: Value): Value => total(reduceSum(square(w), [-1]));
const total = (x: Value): Value =>
  reshape(
    reduceSum(
      x,
      x.shape.map((_, axis) => axis),
    ),
    [1],
  );

/**
 * arccos by a polynomial (Abramowitz and Stegun 4.4.46, error under 2e-8), because the arc cosines of graphics devices are
 * good to 1e-4 only. Arguments a little outside of [-1, 1] count as its ends.
 */
function arccos(x: Value): Value {
  const size = min(abs(x), scalar(1));
  const coefficients = [
    -0.0012624911, 0.0066700901, -0.0170881256, 0.030891881, -0.0501743046, 0.0889789874, -0.2145988016, 1.570796305,
  ];
  const polynomial = coefficients
    .slice(1)
    .reduce<Value>((sum, c) => add(mul(sum, size), scalar(c)), scalar(coefficients[0]!));
  const ofSize = mul(sqrt(sub(scalar(1), size)), polynomial);
  const sign = div(x, max(abs(x), scalar(1e-30)));
  return sub(scalar(Math.PI / 2), mul(sign, sub(scalar(Math.PI / 2), ofSize)));
}
