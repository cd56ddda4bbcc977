// The loss without each single block, attention and MLP.
import { UserError } from '../errors';
import { pathWithout } from '../model/path';
import type { DropSet } from '../protocol/recipes';
import type { Removals } from '../recipes/analyze/recipe';
import type { LossOptions, Measuring } from './measuring';

/**
 * Blocks first, told by `onPart`, then sublayers if they are asked for; a sublayer that the model does not have costs nothing.
 * Throws UserError('badChoice') for a model of a single block, which has none to spare.
 */
export async function measureRemovals(
  measuring: Measuring,
  of: 'blocks' | 'sublayers',
  options: LossOptions,
  onPart: (removals: Removals) => void,
): Promise<Removals> {
  const { config } = measuring.model;
  if (config.nBlocks === 1)
    throw new UserError('badChoice', 'This model has a single block, so none can be removed; leave out --removals.');
  const kinds = of === 'blocks' ? (['blocks'] as const) : (['blocks', 'attention', 'mlp'] as const);
  const removals: Removals = { blocks: [], attention: null, mlp: null };
  for (const [i, kind] of kinds.entries()) {
    const onProgress = (fraction: number) => options.onProgress?.((i + fraction) / kinds.length);
    removals[kind] = await measuring.losses(
      config.blocks.map((_, k) => pathWithout(config, without(kind, k))),
      { ...options, onProgress },
    );
    onPart({ ...removals });
  }
  return removals;
}

const without = (kind: keyof DropSet, block: number): DropSet => ({
  blocks: [],
  attention: [],
  mlp: [],
  [kind]: [block],
});
