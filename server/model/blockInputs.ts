// What goes into a block's graph beside the hidden state.
import { linear } from '../graph/ops/linear';
import type { Shape, Value } from '../graph/value';
import type { ModelConfig } from './config';
import { type AdapterUse, adaptedLinear } from './lora';
import type { WeightWidth } from '../protocol/recipes';
import { weightValue, widthOfWeight } from './storage';
import { blockWeights } from './weights';

/** A batch of sequences: B sequences of T tokens, laid out as rows [B*T, ...]. */
export interface BatchShape {
  readonly batch: number;
  readonly tokens: number;
}

/** A block's weights as inputs of a graph, made when first asked for. */
export interface BlockWeightInputs {
  get(suffix: string): Value;
  has(suffix: string): boolean;
  /** x through the linear layer `name`, with its bias where the family has one, and its adapter where it has one. */
  project(name: string, x: Value): Value;
}

export const noAdapters: AdapterUse = { layers: new Map(), dropout: false };

export function blockWeightInputs(
  config: ModelConfig,
  block: number,
  { layers, dropout }: AdapterUse = noAdapters,
): BlockWeightInputs {
  const shapes = new Map(blockWeights(config).map(({ suffix, shape }) => [suffix, shape]));
  const made = new Map<string, Value>();
  const has = (suffix: string) => shapes.has(suffix);
  const get = (suffix: string) => {
    const shape = shapes.get(suffix);
    if (!shape) throw new Error(`a block of ${config.family} has no weight ${suffix}`);
    const value = made.get(suffix) ?? weightValue(blockWeightWidth(config, block, suffix, shape), suffix, shape);
    made.set(suffix, value);
    return value;
  };
  const project = (name: string, x: Value) => {
    const weight = get(`${name}.weight`);
    const bias = has(`${name}.bias`) ? get(`${name}.bias`) : undefined;
    const adapter = layers.get(name);
    return adapter ? adaptedLinear(name, x, weight, bias, adapter, dropout) : linear(x, weight, bias);
  };
  return { get, has, project };
}

/** How the device holds a weight of a block. */
export function blockWeightWidth(config: ModelConfig, block: number, suffix: string, shape: Shape): WeightWidth {
  if (config.blocks[block]!.float32Weights?.includes(suffix)) return 'f32';
  return widthOfWeight(config.storage?.blocks ?? 'f32', shape);
}
