// The matrices of an adapter on the device, with the two moments of each: what training changes.
import { matrixA, matrixB } from '../model/lora';
import { type AdaptedModule, moduleKey } from '../model/adapter';
import { size, type Shape } from '../graph/value';
import type { Scope } from '../runtime/device';
import type { Tensor, Tensors } from '../runtime/tensor';
import type { Adapters } from '../execution/adapters';
import { firstMoment, parameterOf, secondMoment } from './adamw';
import { initialA, keyOf } from './random';

/** A [R, in] and B [out, R], flat. */
export interface Matrices {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

export interface AdapterState extends Adapters, Disposable {
  /** Blocks that have an adapter, ascending. */
  readonly blocks: readonly number[];
  /** The adapted modules of a block by their names within it. */
  layers(block: number): ReadonlyMap<string, AdaptedModule>;
  /** The matrices of a block by name, with their shapes. */
  shapes(block: number): Readonly<Record<string, Shape>>;
  /** Everything the optimizer works on in some blocks, by the names of adamw.ts and `matrixOf`. */
  optimized(blocks: readonly number[]): Tensors;
  /** Takes new tensors in the place of those under the same names. */
  replace(blocks: readonly number[], tensors: Tensors): void;
  /** All tensors to the host, as `${block} ${name}`, to be saved; and back. */
  save(): Promise<Map<string, Float32Array>>;
  load(saved: ReadonlyMap<string, Float32Array>): Promise<void>;
  /** The matrices alone, by moduleKey. */
  matrices(): Promise<Map<string, Matrices>>;
}

/** Fresh moments beside the matrices given. */
export async function openAdapterState(
  device: Scope,
  modules: readonly AdaptedModule[],
  initial: ReadonlyMap<string, Matrices>,
): Promise<AdapterState> {
  const scope = device.scope();
  const { blocks, layers, shapes } = layoutOf(modules);
  const held = new Map<string, Tensor>();
  const put = (place: string, tensor: Tensor) => {
    scope.release(held.get(place));
    scope.adopt(tensor);
    held.set(place, tensor);
  };
  /**
   * Copied: the device may use the memory as it is, and what was given may be used elsewhere. As what training puts in its place, it
   * is brought back to be saved, which no weight of the model is.
   */
  const upload = async (place: string, data: Float32Array, shape: Shape) =>
    put(place, await scope.upload(data.slice(), shape, 'result'));
  for (const { place, data, shape } of freshState(modules, initial)) await upload(place, data, shape);
  /** Where all that the optimizer works on lies, and its name in the optimizer's graph. */
  const optimizedPlaces = (of: readonly number[]) =>
    of.flatMap((block) =>
      Object.keys(shapes(block)).flatMap((matrix) =>
        optimizedKinds.map((kind) => ({ place: placeOf(block, kind(matrix)), name: kind(matrixOf(block, matrix)) })),
      ),
    );
  return {
    blocks,
    shapes,
    layers,
    tensors: (block) =>
      Object.fromEntries(
        Object.keys(shapes(block)).map((matrix) => [matrix, held.get(placeOf(block, parameterOf(matrix)))!]),
      ),
    optimized: (of) => Object.fromEntries(optimizedPlaces(of).map(({ place, name }) => [name, held.get(place)!])),
    replace(of, tensors) {
      for (const { place, name } of optimizedPlaces(of)) put(place, tensors[name]!);
    },
    async save() {
      const saved = new Map<string, Float32Array>();
      for (const [place, tensor] of held) saved.set(place, await scope.read(tensor));
      return saved;
    },
    async load(saved) {
      for (const block of blocks)
        for (const [matrix, shape] of Object.entries(shapes(block)))
          for (const place of optimizedKinds.map((kind) => placeOf(block, kind(matrix)))) {
            const data = saved.get(place);
            if (data?.length !== size(shape)) throw new Error(`the saved state lacks ${place}`);
            await upload(place, data, shape);
          }
    },
    async matrices() {
      const found = new Map<string, Matrices>();
      const read = ({ block }: AdaptedModule, name: string) => scope.read(held.get(placeOf(block, name))!);
      for (const module of modules) {
        const [a, b] = [await read(module, matrixA(module.suffix)), await read(module, matrixB(module.suffix))];
        found.set(moduleKey(module), { a, b });
      }
      return found;
    },
    [Symbol.dispose]: () => scope[Symbol.dispose](),
  };
}

/** The matrices given, and zero for their moments. */
function* freshState(
  modules: readonly AdaptedModule[],
  initial: ReadonlyMap<string, Matrices>,
): Generator<{ place: string; data: Float32Array; shape: Shape }> {
  for (const module of modules) {
    const { block, suffix, rank, inFeatures, outFeatures } = module;
    const { a, b } = initial.get(moduleKey(module))!;
    for (const [matrix, data, shape] of [
      [matrixA(suffix), a, [rank, inFeatures]],
      [matrixB(suffix), b, [outFeatures, rank]],
    ] as const) {
      yield { place: placeOf(block, parameterOf(matrix)), data, shape };
      for (const moment of [firstMoment(matrix), secondMoment(matrix)])
        yield { place: placeOf(block, moment), data: new Float32Array(size(shape)), shape };
    }
  }
}

/** A matrix of one block among those of several. */
export const matrixOf = (block: number, matrix: string) => `${block} ${matrix}`;

const placeOf = (block: number, name: string) => `${block} ${name}`;
const optimizedKinds = [parameterOf, firstMoment, secondMoment];

/** Which modules are adapted in which block, and the shapes of their matrices. */
function layoutOf(modules: readonly AdaptedModule[]): Pick<AdapterState, 'blocks' | 'layers' | 'shapes'> {
  const layers = new Map<number, Map<string, AdaptedModule>>();
  const shapes = new Map<number, Record<string, Shape>>();
  for (const module of modules) {
    const { block, suffix, rank, inFeatures, outFeatures } = module;
    layers.set(block, (layers.get(block) ?? new Map()).set(suffix, module));
    shapes.set(block, {
      ...shapes.get(block),
      [matrixA(suffix)]: [rank, inFeatures],
      [matrixB(suffix)]: [outFeatures, rank],
    });
  }
  return {
    blocks: [...layers.keys()],
    layers: (block) => layers.get(block) ?? new Map(),
    shapes: (block) => shapes.get(block) ?? {},
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
