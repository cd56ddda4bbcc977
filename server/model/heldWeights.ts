// The weights of a block as a device holds them: in which width, and in how many pieces.
import type { Shape } from '../graph/value';
import type { WeightWidth } from '../protocol/recipes';
import { blockWeightWidth } from './blockInputs';
import type { ModelConfig } from './config';
import { rowPieces } from './rowPieces';
import { blockWeights } from './weights';

export interface HeldWeight {
  /** Of the block's graph. */
  readonly input: string;
  /** The name after `model.layers.<block>.`. */
  readonly suffix: string;
  readonly shape: Shape;
  /** The first of the rows that are held; null: the whole weight. */
  readonly firstRow: number | null;
  readonly width: WeightWidth;
}

/** In the order in which the block uses them. */
export const heldWeights = (config: ModelConfig, block: number): HeldWeight[] =>
  blockWeights(config, config.blocks[block]!.sublayers).flatMap(({ suffix, shape }) => {
    const width = blockWeightWidth(config, block, suffix, shape);
    const pieces = rowPieces(config, suffix, shape);
    return pieces.map(({ input, first, end }) => ({
      input,
      suffix,
      shape: [end - first, ...shape.slice(1)],
      firstRow: pieces.length === 1 ? null : first,
      width,
    }));
  });
