// The gradients of several batches added up on the device, by block.
import type { Shape } from '../graph/value';
import { addGradients, gradientOf, moreOf, sumOf } from '../model/blockGradient';
import type { Device } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';

export type Gradients = Readonly<Record<string, Tensor>>;

export interface GradientSums {
  /** Blocks that have a sum. */
  blocks(): readonly number[];
  of(block: number): Gradients;
  /** Adds the gradients of one batch, which it takes over. */
  take(block: number, gradients: Gradients): Promise<void>;
  drop(block: number): void;
  dispose(): void;
}

/** @param shapes of the inputs that a block is derived by, by their names */
export function openGradientSums(
  device: Device,
  shapes: (block: number) => Readonly<Record<string, Shape>>,
): GradientSums {
  const sums = new Map<number, Gradients>();
  const drop = (block: number) => {
    dispose(sums.get(block) ?? {});
    sums.delete(block);
  };
  return {
    blocks: () => [...sums.keys()],
    of: (block) => sums.get(block)!,
    async take(block, gradients) {
      const before = sums.get(block);
      if (!before) return void sums.set(block, gradients);
      const of = shapes(block);
      const names = Object.keys(of);
      const more = Object.fromEntries(names.map((name) => [moreOf(name), gradients[gradientOf(name)]!]));
      const program = await device.program(`addGradients ${shapesKey(of)}`, () => addGradients(of));
      const added = await device.run(program, { ...before, ...more });
      drop(block);
      dispose(gradients);
      sums.set(block, Object.fromEntries(names.map((name) => [gradientOf(name), added[sumOf(name)]!])));
    },
    drop,
    dispose: () => sums.forEach(dispose),
  };
}

const dispose = (tensors: Gradients) => {
  for (const tensor of Object.values(tensors)) tensor.dispose();
};

/** Equal for equal shapes under equal names: the key of programs over all matrices of a block. */
export const shapesKey = (shapes: Readonly<Record<string, Shape>>): string =>
  Object.entries(shapes)
    .map(([name, shape]) => `${name} ${shape}`)
    .join();
