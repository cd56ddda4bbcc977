// The loss and its gradient with respect to the last hidden state in one pass over slices of the vocabulary. Beside the
// running sum of exponentials it keeps the sum of the head's rows weighted by them: neither all logits nor a second pass is
// needed.
// Letters: B batch, T tokens, D width, S rows of a slice.
import { gradients } from '../graph/gradient';
import { add, div, log, mul, sub } from '../graph/ops/elementwise';
import { linear, matmul } from '../graph/ops/linear';
import { reduceSum } from '../graph/ops/reduce';
import { type Graph, input, topologicalOrder } from '../graph/value';
import type { BatchShape } from './blockInputs';
import type { ModelConfig } from './config';
import { cappedLogits, capSlope, finalNorm, headInput, onlineSoftmax } from './head';

/**
 * normed [rows, D], head [S, D] and the running largest logit [rows, 1], sum of exponentials [rows, 1] and sum of the
 * head's rows weighted by them [rows, D] give the next ones: softmax without its division, as in arXiv:1805.02867. Where logits
 * are capped, a row also counts by the slope of its logit's cap, since the sum is there for the gradient.
 */
export function headSliceWithRows(config: ModelConfig, rows: number, sliceRows: number, temperature = 1): Graph {
  const D = config.width;
  const head = headInput(config, sliceRows);
  const logits = cappedLogits(config, linear(input('normed', [rows, D]), head), temperature);
  const { largest, sum, weights, rescale } = onlineSoftmax(logits);
  const slope = capSlope(config, logits, temperature);
  return {
    name: 'headSliceWithRows',
    outputs: {
      nextLargest: largest,
      nextSum: sum,
      nextHeadRows: add(
        mul(input('headRows', [rows, D]), rescale),
        matmul(slope ? mul(weights, slope) : weights, head),
      ),
    },
  };
}

/**
 * After the last slice: targets [rows, D] are the head's rows of the tokens that came, weights [rows, 1] what each
 * prediction counts. Gives tokenNats [rows, 1], loss [1, 1] = sum of weights * nats, and the loss's gradient with respect to normed:
 * weights * (the head's expected row under the softmax - the target's).
 */
export function weightedLoss(config: ModelConfig, rows: number): Graph {
  const D = config.width;
  const [sum, weights] = [input('sum', [rows, 1]), input('weights', [rows, 1])];
  const targets = input('targets', [rows, D]);
  const targetLogit = cappedLogits(config, reduceSum(mul(input('normed', [rows, D]), targets), [-1]));
  const slope = capSlope(config, targetLogit);
  const nats = sub(add(log(sum), input('largest', [rows, 1])), targetLogit);
  const expected = div(input('headRows', [rows, D]), sum);
  return {
    name: 'weightedLoss',
    outputs: {
      tokenNats: nats,
      loss: reduceSum(mul(nats, weights), [0, 1]),
      normedGradient: mul(sub(expected, slope ? mul(slope, targets) : targets), weights),
    },
  };
}

/** normedGradient [B*(T-1), D] back through the final norm: hiddenOutGradient [B*T, D], zero where nothing is predicted. */
export function finalNormBackward(config: ModelConfig, batch: BatchShape): Graph {
  const { normed } = finalNorm(config, batch).outputs;
  const hidden = topologicalOrder([normed!]).find((v) => v.kind === 'input' && v.name === 'hidden')!;
  const [back] = gradients(normed!, input('normedGradient', normed!.shape), [hidden]);
  return { name: 'finalNormBackward', outputs: { hiddenOutGradient: back! } };
}
