// The gradients of several batches added up on the device, by block.
import type { Shape } from '../graph/value';
import { addGradients, gradientOf, moreOf, sumOf } from '../model/blockGradient';
import type { Scope } from '../runtime/device';
import type { Tensors } from '../runtime/tensor';

export interface GradientSums extends Disposable {
  /** Blocks that have a sum. */
  blocks(): readonly number[];
  of(block: number): Tensors;
  /** Adds the gradients of one batch, which it takes over. */
  add(block: number, gradients: Tensors): Promise<void>;
  drop(block: number): void;
}

/** @param shapes of the inputs of a block that its gradients are taken with respect to, by their names */
export function openGradientSums(
  device: Scope,
  shapes: (block: number) => Readonly<Record<string, Shape>>,
): GradientSums {
  const scope = device.scope();
  const sums = new Map<number, Tensors>();
  const drop = (block: number) => {
    scope.release(...Object.values(sums.get(block) ?? {}));
    sums.delete(block);
  };
  return {
    blocks: () => [...sums.keys()],
    of: (block) => sums.get(block)!,
    async add(block, gradients) {
      const before = sums.get(block);
      scope.adopt(...Object.values(gradients));
      if (!before) return void sums.set(block, gradients);
      const names = Object.keys(shapes(block));
      const more = Object.fromEntries(names.map((name) => [moreOf(name), gradients[gradientOf(name)]!]));
      const added = await scope.run(await scope.program(addGradients, shapes(block)), { ...before, ...more });
      drop(block);
      scope.release(...Object.values(gradients));
      sums.set(block, Object.fromEntries(names.map((name) => [gradientOf(name), added[sumOf(name)]!])));
    },
    drop,
    [Symbol.dispose]: () => scope[Symbol.dispose](),
  };
}
