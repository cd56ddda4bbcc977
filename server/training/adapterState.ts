// The matrices of an adapter on the device, with the two moments of each: what training changes.
import { matrixA, matrixB } from '../model/lora';
import { type AdaptedModule, moduleKey } from '../model/adapter';
import { size, type Shape } from '../graph/value';
import type { Device } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import type { Adapters } from '../execution/adapters';
import { firstMoment, parameterOf, secondMoment } from './adamw';
import { initialA, keyOf } from './random';

/** A [R, in] and B [out, R], flat. */
export interface Matrices {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

export interface AdapterState extends Adapters {
  /** Blocks that have an adapter, ascending. */
  readonly blocks: readonly number[];
  /** The adapted modules of a block by their names within it. */
  layers(block: number): ReadonlyMap<string, AdaptedModule>;
  /** The matrices of a block by name, with their shapes. */
  shapes(block: number): Readonly<Record<string, Shape>>;
  /** Everything the optimizer works on in a block, by the names of adamw.ts. */
  optimized(block: number): Readonly<Record<string, Tensor>>;
  /** Takes new tensors in the place of those under the same names. */
  replace(block: number, tensors: Readonly<Record<string, Tensor>>): void;
  /** All tensors to the host, as `${block} ${name}`, to be saved; and back. */
  save(): Promise<Map<string, Float32Array>>;
  load(saved: ReadonlyMap<string, Float32Array>): Promise<void>;
  /** The matrices alone, by moduleKey. */
  matrices(): Promise<Map<string, Matrices>>;
  dispose(): void;
}

/** Fresh moments beside the matrices given. */
export async function openAdapterState(
  device: Device,
  modules: readonly AdaptedModule[],
  initial: ReadonlyMap<string, Matrices>,
): Promise<AdapterState> {
  const layers = new Map<number, Map<string, AdaptedModule>>();
  for (const module of modules) {
    const block = layers.get(module.block) ?? new Map<string, AdaptedModule>();
    layers.set(module.block, block.set(module.suffix, module));
  }
  const held = new Map<string, Tensor>();
  const at = (block: number, name: string) => `${block} ${name}`;
  const put = async (block: number, name: string, data: Float32Array, shape: Shape) => {
    held.get(at(block, name))?.dispose();
    // Copied: the device may use the memory as it is, and what was given may be used elsewhere.
    held.set(at(block, name), await device.upload(data.slice(), shape, 'weight'));
  };
  const shapes = (block: number): Record<string, Shape> =>
    Object.fromEntries(
      [...(layers.get(block) ?? [])].flatMap(([layer, { rank, inFeatures, outFeatures }]) => [
        [matrixA(layer), [rank, inFeatures]],
        [matrixB(layer), [outFeatures, rank]],
      ]),
    );
  const blocks = [...layers.keys()];
  for (const block of blocks) {
    for (const [layer, module] of layers.get(block)!) {
      const { a, b } = initial.get(moduleKey(module))!;
      for (const [name, data] of [
        [matrixA(layer), a],
        [matrixB(layer), b],
      ] as const) {
        const shape = shapes(block)[name]!;
        await put(block, parameterOf(name), data, shape);
        for (const moment of [firstMoment(name), secondMoment(name)])
          await put(block, moment, new Float32Array(size(shape)), shape);
      }
    }
  }
  const pick = (block: number, names: (matrix: string) => readonly string[]) =>
    Object.fromEntries(
      Object.keys(shapes(block)).flatMap((matrix) => names(matrix).map((name) => [name, held.get(at(block, name))!])),
    );
  return {
    blocks,
    shapes,
    layers: (block) => layers.get(block) ?? new Map(),
    tensors: (block) => pick(block, (matrix) => [parameterOf(matrix)]),
    optimized: (block) => pick(block, (m) => [parameterOf(m), firstMoment(m), secondMoment(m)]),
    replace(block, tensors) {
      for (const [name, tensor] of Object.entries(tensors)) {
        held.get(at(block, name))!.dispose();
        held.set(at(block, name), tensor);
      }
    },
    async save() {
      const saved = new Map<string, Float32Array>();
      for (const [name, tensor] of held) saved.set(name, await device.read(tensor));
      return saved;
    },
    async load(saved) {
      for (const block of blocks)
        for (const [matrix, shape] of Object.entries(shapes(block)))
          for (const name of [parameterOf(matrix), firstMoment(matrix), secondMoment(matrix)]) {
            const data = saved.get(at(block, name));
            if (data?.length !== size(shape)) throw new Error(`the saved state lacks ${at(block, name)}`);
            await put(block, name, data, shape);
          }
    },
    async matrices() {
      const found = new Map<string, Matrices>();
      const read = (module: AdaptedModule, name: string) => device.read(held.get(at(module.block, name))!);
      for (const module of modules) {
        const [a, b] = [await read(module, matrixA(module.suffix)), await read(module, matrixB(module.suffix))];
        found.set(moduleKey(module), { a, b });
      }
      return found;
    },
    dispose() {
      for (const tensor of held.values()) tensor.dispose();
      held.clear();
    },
  };
}

/** A drawn by the seed, B zero: the adapter begins by changing nothing. */
export const freshMatrices = (modules: readonly AdaptedModule[], seed: number): Map<string, Matrices> =>
  new Map(
    modules.map((module, t) => [
      moduleKey(module),
      {
        a: initialA(keyOf(seed, t), module.rank, module.inFeatures),
        b: new Float32Array(module.outFeatures * module.rank),
      },
    ]),
  );
