// What `--weights auto` is: the widest way of holding matrices whose plan fits.
import { isUserError } from '../errors';
import { type MemoryLimits, noLimits, tensorLimit } from '../execution/memoryLimits';
import { type ComputeOptions, type MemoryMode, type WeightWidth, weightWidth } from '../protocol/recipes';
import { size } from '../shared/numbers';

/** A plan with the width that it was made for. */
export interface Chosen<P> {
  readonly plan: P;
  readonly weights: WeightWidth;
  /** In words; null: the width was asked for. */
  readonly why: string | null;
}

interface WithWeights {
  readonly bytes: { readonly weights: number };
}

/**
 * Resident weights of any width are preferred to streamed ones, which are read again for each group of sequences.
 * @param planAs throws UserError('cannotFit') for what does not fit
 */
export async function widestThatFits<P extends WithWeights>(
  { weights, memory }: Pick<ComputeOptions, 'weights' | 'memory'>,
  limits: MemoryLimits,
  planAs: (weights: WeightWidth, memory: MemoryMode, limits: MemoryLimits) => Promise<P>,
): Promise<Chosen<P>> {
  if (weights !== 'auto') return { plan: await planAs(weights, memory, limits), weights, why: null };
  let refused: unknown;
  const fitting = (width: WeightWidth, mode: MemoryMode) =>
    planAs(width, mode, limits).catch((error: unknown) => {
      if (!isUserError(error) || error.code !== 'cannotFit') throw error;
      refused = error;
      return null;
    });
  /** Weights alone, in words. */
  const takes = async (width: WeightWidth, mode: MemoryMode) =>
    `${width} weights alone ${size((await planAs(width, mode, noLimits)).bytes.weights)}`;
  const limit = size(tensorLimit(limits));
  for (const mode of memory === 'auto' ? (['resident', 'streaming'] as const) : [memory]) {
    const before =
      mode === 'streaming' && memory === 'auto'
        ? `${await takes(narrowest, 'resident')}, so that blocks are read one after the other; `
        : '';
    for (const [i, width] of weightWidth.options.entries()) {
      const plan = await fitting(width, mode);
      if (!plan) continue;
      const wider = weightWidth.options[i - 1];
      const most = wider ? `the widest that fits in ${limit} (${await takes(wider, mode)})` : `it fits in ${limit}`;
      return { plan, weights: width, why: `${before}${most}` };
    }
  }
  throw refused;
}

const narrowest = weightWidth.options.at(-1)!;
