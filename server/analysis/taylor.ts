// Taylor importance: how much the loss would change, to first order, if a weight were zero. The gradients of all sequences are
// added up before the absolute value is taken, so that what cancels between sequences counts for nothing.
import { abs, add, mul } from '../graph/ops/elementwise';
import { reduceSum } from '../graph/ops/reduce';
import { reshape } from '../graph/ops/movement';
import { type Graph, input, type Shape } from '../graph/value';
import { gradientOf } from '../model/blockGradient';
import { type HeldWeight, heldWeights } from '../model/heldWeights';
import { weightValue } from '../model/storage';
import { pathWithout } from '../model/path';
import { lossAndGradients } from '../execution/backward';
import { openGradientSums } from '../execution/gradientSums';
import { microBatches, type Model } from '../execution/model';

/**
 * Of every block the sum of |w dL/dw| over its projections (Shortened LLaMA, arXiv:2402.02834, after Molchanov,
 * arXiv:1906.10771), L the mean loss over all sequences. All sequences pass a block before the next, so that one block's
 * gradients are held at a time; their hidden states are held for all blocks.
 */
export async function taylorScores(
  model: Model,
  sequences: readonly Int32Array[],
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: ((fraction: number) => void) | undefined },
): Promise<Float64Array> {
  const { config, device, plan } = model;
  const scores = new Float64Array(config.nBlocks);
  const batches = microBatches(sequences, plan.microBatchSequences);
  const share = 1 / (sequences.length * (sequences[0]!.length - 1));
  const projections = (block: number) =>
    heldWeights(config, block).filter(({ suffix }) => suffix.endsWith('_proj.weight'));
  const shapes = (block: number): Record<string, Shape> =>
    Object.fromEntries(projections(block).map(({ input, shape }) => [input, shape]));
  using sums = openGradientSums(device, shapes);
  let nTaken = 0;
  await lossAndGradients(
    model,
    batches.map((batch) => ({ ...batch, weights: new Float32Array(batch.batch * (batch.tokens - 1)).fill(share) })),
    {
      path: pathWithout(config),
      wrt: (block) => projections(block).map(({ input }) => input),
      async take(block, gradients, weights) {
        await sums.add(block, gradients);
        if (++nTaken % batches.length > 0) return;
        using scope = device.scope();
        const program = await scope.program(weightTimesGradient, projections(block));
        const { score } = await scope.run(program, { ...weights, ...sums.of(block) });
        scores[block] = (await scope.read(score!))[0]!;
        sums.drop(block);
      },
      activations: 'recompute',
      signal,
      onProgress,
    },
  );
  return scores;
}

/** The sum of |w dL/dw| over all elements of some weights, [1]. */
function weightTimesGradient(weights: readonly HeldWeight[]): Graph {
  const sums = weights.map(({ input: name, shape, width }) => {
    const products = abs(mul(weightValue(width, name, shape), input(gradientOf(name), shape)));
    // Rows first: a sum over all elements at once would lose digits.
    return reshape(reduceSum(reduceSum(products, [1]), [0]), [1]);
  });
  return { name: 'taylor', outputs: { score: sums.reduce(add) } };
}
