// Where weights are while a model runs: all on the device, or two groups at a time with the next one read while the present
// one computes.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { size } from '../graph/value';
import { blockWeightWidth } from '../model/blockInputs';
import type { ModelConfig } from '../model/config';
import { storedBytes, storedParts } from '../model/storage';
import { blockWeightName, blockWeights, embeddingName, headName } from '../model/weights';
import type { WeightWidth } from '../protocol/recipes';
import type { Scope } from '../runtime/device';
import type { HostNumbers, Tensor, Tensors } from '../runtime/tensor';
import { readStored, stored } from './storedWeights';

/** Weights that are used together, under the names of the graph inputs they feed. */
export interface WeightGroup {
  readonly key: string;
  readonly parts: readonly {
    readonly input: string;
    readonly weight: string;
    readonly shape: readonly number[];
    /** The first of the rows taken; null: the whole weight. */
    readonly firstRow: number | null;
    /** How the device holds it. */
    readonly width: WeightWidth;
  }[];
}

export type Weights = Tensors;

/** One step of a run: the weights to have at hand and what to do with them. */
export interface Step {
  readonly group: WeightGroup;
  visit(weights: Weights): Promise<void>;
}

export interface WeightStore extends Disposable {
  /** Visits the steps in order. */
  run(steps: readonly Step[]): Promise<void>;
  /** Brings groups in beforehand where they stay; does nothing when streaming. */
  preload(groups: readonly WeightGroup[]): Promise<void>;
}

export const blockGroup = (config: ModelConfig, block: number): WeightGroup => ({
  key: `block ${block}`,
  parts: blockWeights(config, config.blocks[block]!.sublayers).map(({ suffix, shape }) => ({
    input: suffix,
    weight: blockWeightName(block, suffix),
    shape,
    firstRow: null,
    width: blockWeightWidth(config, block, suffix, shape),
  })),
});

/** The output head [V, D] in slices of at most `sliceRows` rows. */
export function headGroups(config: ModelConfig, sliceRows: number): WeightGroup[] {
  const weight = config.tiedEmbeddings ? embeddingName : headName;
  const starts = Array.from({ length: Math.ceil(config.vocabularySize / sliceRows) }, (_, i) => i * sliceRows);
  return starts.map((firstRow) => {
    const rows = Math.min(sliceRows, config.vocabularySize - firstRow);
    return {
      key: `head ${firstRow}+${rows}`,
      parts: [{ input: 'head', weight, shape: [rows, config.width], firstRow, width: config.storage?.head ?? 'f32' }],
    };
  });
}

/** Elements of a group. */
export const groupSize = (group: WeightGroup) => group.parts.reduce((sum, part) => sum + size(part.shape), 0);

/** Bytes of a group as the device holds it. */
export const groupBytes = (group: WeightGroup) =>
  group.parts.reduce((sum, { width, shape }) => sum + storedBytes(width, shape), 0);

/** Every group stays on the device once it was used: for models that fit. */
export function residentStore(checkpoint: Checkpoint, device: Scope): WeightStore {
  const scope = device.scope();
  const held = new Map<string, Weights>();
  const take = async (group: WeightGroup) => {
    const known = held.get(group.key) ?? (await upload(group, await readGroup(checkpoint, group, allocate), scope));
    held.set(group.key, known);
    return known;
  };
  return {
    async run(steps) {
      for (const step of steps) await step.visit(await take(step.group));
    },
    async preload(groups) {
      for (const group of groups) await take(group);
    },
    [Symbol.dispose]: () => scope[Symbol.dispose](),
  };
}

/** Two buffers, each as large as the largest group as it is held: while one computes, the other is read. */
export function streamingStore(checkpoint: Checkpoint, device: Scope): WeightStore {
  let slots: Uint8Array[] = [];
  const into = (slot: number, group: WeightGroup) => {
    let used = 0;
    return readGroup(checkpoint, group, (nBytes) => {
      const room = slots[slot]!.subarray(used, used + nBytes);
      used += aligned(nBytes);
      return room;
    });
  };
  return {
    async run(steps) {
      const largest = Math.max(...steps.map(({ group }) => groupBytes(group) + 8 * group.parts.length));
      if ((slots[0]?.length ?? 0) < largest) slots = [new Uint8Array(largest), new Uint8Array(largest)];
      let next = into(0, steps[0]!.group);
      for (const [i, step] of steps.entries()) {
        using scope = device.scope();
        const weights = await upload(step.group, await next, scope);
        const following = steps[i + 1];
        if (following) next = into((i + 1) % 2, following.group);
        next.catch(() => {}); // a read that fails during the visit is told after it; unheard, it would end the process
        try {
          await step.visit(weights);
        } catch (error) {
          await next.catch(() => {}); // a read in flight must not outlive its buffer's owner
          throw error;
        }
      }
    },
    preload: async () => {},
    [Symbol.dispose]() {
      slots = [];
    },
  };
}

/** Another store with some weights in place of its own, by their names in the checkpoint; its end leaves the other. */
export function withReplaced(
  store: WeightStore,
  device: Scope,
  replaced: ReadonlyMap<string, { readonly data: Float32Array; readonly shape: readonly number[] }>,
): WeightStore {
  const scope = device.scope();
  const made = new Map<string, Promise<Weights>>();
  const replacing = (part: WeightGroup['parts'][number]): Promise<Weights> | null => {
    const by = replaced.get(part.weight);
    if (!by) return null;
    const tensors = made.get(part.weight) ?? uploadPart(part, stored(part, by.data, allocate), scope);
    made.set(part.weight, tensors);
    return tensors;
  };
  const changed = ({ group, visit }: Step): Step => ({
    group,
    async visit(weights) {
      const others = await Promise.all(group.parts.map(replacing));
      await visit(Object.assign({}, weights, ...others.filter((each) => each !== null)));
    },
  });
  return {
    run: (steps) => store.run(steps.map(changed)),
    preload: (groups) => store.preload(groups),
    [Symbol.dispose]: () => scope[Symbol.dispose](),
  };
}

const allocate = (nBytes: number) => new Uint8Array(nBytes);
/** Each part begins where numbers of any dtype may lie. */
const aligned = (nBytes: number) => 8 * Math.ceil(nBytes / 8);

/** All parts of a group at once, so that the reads overlap each other and whatever computes meanwhile. */
const readGroup = (checkpoint: Checkpoint, group: WeightGroup, room: (nBytes: number) => Uint8Array) =>
  Promise.all(group.parts.map((part) => readStored(checkpoint, part, room)));

async function upload(group: WeightGroup, data: readonly HostNumbers[][], scope: Scope): Promise<Weights> {
  const weights: Record<string, Tensor> = {};
  for (const [i, part] of group.parts.entries()) Object.assign(weights, await uploadPart(part, data[i]!, scope));
  return weights;
}

async function uploadPart(
  { width, input, shape }: WeightGroup['parts'][number],
  data: readonly HostNumbers[],
  scope: Scope,
): Promise<Weights> {
  const tensors: Record<string, Tensor> = {};
  for (const [i, part] of storedParts(width, input, shape).entries())
    tensors[part.input] = await scope.upload(data[i]!, part.shape, 'weight');
  return tensors;
}
