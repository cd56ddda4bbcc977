// Where weights are while a model runs: all on the device, or some of them, with each of the others brought in for its turn
// and read while the one before computes.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { size } from '../graph/value';
import type { ModelConfig } from '../model/config';
import { storedBytes, storedParts } from '../model/storage';
import { heldWeights } from '../model/heldWeights';
import { blockWeightName, embeddingName, headName } from '../model/weights';
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
  parts: heldWeights(config, block).map(({ suffix, ...part }) => ({ ...part, weight: blockWeightName(block, suffix) })),
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
export const residentStore = (checkpoint: Checkpoint, device: Scope): WeightStore =>
  openWeightStore(checkpoint, device, () => true);

/** No group stays: two buffers, each as large as the largest group as it is held; while one computes, the other is read. */
export const streamingStore = (checkpoint: Checkpoint, device: Scope): WeightStore =>
  openWeightStore(checkpoint, device, () => false);

/**
 * Groups that stay are on the device from their first use on; the others are there for their visit alone. Whatever has to be
 * read is read while the step before it is visited. A device that copies what it is given gets all of it through the same two
 * buffers, so that the host never holds the model.
 */
export function openWeightStore(
  checkpoint: Checkpoint,
  device: Scope,
  stays: (group: WeightGroup) => boolean,
): WeightStore {
  const scope = device.scope();
  const held = new Map<string, Weights>();
  const buffers = openBuffers();
  const buffered = (group: WeightGroup) => device.provider !== 'cpu' || !stays(group);
  const begin = async (reads: readonly WeightGroup[], at: number): Promise<HostNumbers[][]> => {
    const group = reads[at];
    if (!group) return [];
    return readGroup(checkpoint, group, buffered(group) ? buffers.room(at % 2) : allocate);
  };
  const run = async (steps: readonly Step[]) => {
    const reads = groupsToRead(steps, stays, held);
    buffers.grow(reads.filter(buffered));
    let at = 0;
    let next = begin(reads, 0);
    for (const { group, visit } of steps) {
      using passing = device.scope();
      try {
        const known = held.get(group.key);
        const weights = known ?? (await upload(group, await next, stays(group) ? scope : passing));
        if (!known) next = begin(reads, ++at);
        next.catch(() => {}); // a read that fails during the visit is told after it; unheard, it would end the process
        if (stays(group)) held.set(group.key, weights);
        await visit(weights);
      } catch (error) {
        await next.catch(() => {}); // a read in flight must not outlive its buffer's owner
        throw error;
      }
    }
  };
  return {
    run,
    async preload(groups) {
      await run(groups.filter(stays).map((group) => ({ group, visit: async () => {} })));
      if (groups.every(stays)) buffers.drop();
    },
    [Symbol.dispose]() {
      buffers.drop();
      scope[Symbol.dispose]();
    },
  };
}

/** The groups of steps in order, without those that are on the device by then. */
function groupsToRead(
  steps: readonly Step[],
  stays: (group: WeightGroup) => boolean,
  held: ReadonlyMap<string, Weights>,
): WeightGroup[] {
  const there = new Set(held.keys());
  return steps.flatMap(({ group }) => {
    if (there.has(group.key)) return [];
    if (stays(group)) there.add(group.key);
    return [group];
  });
}

/** Two buffers of the host that groups take turns in. */
function openBuffers() {
  let buffers: Uint8Array[] = [];
  return {
    grow(groups: readonly WeightGroup[]) {
      const largest = Math.max(0, ...groups.map((group) => groupBytes(group) + 8 * group.parts.length));
      if ((buffers[0]?.length ?? 0) < largest) buffers = [new Uint8Array(largest), new Uint8Array(largest)];
    },
    /** Gives room in one of them, from its beginning on. */
    room(turn: number): (nBytes: number) => Uint8Array {
      const buffer = buffers[turn]!;
      let used = 0;
      return (nBytes) => {
        const room = buffer.subarray(used, used + nBytes);
        used += aligned(nBytes);
        return room;
      };
    },
    drop() {
      buffers = [];
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
    const key = `${part.weight} ${part.firstRow}`;
    const tensors = made.get(key) ?? uploadPart(part, stored(part, rowsOf(part, by.data), allocate), scope);
    made.set(key, tensors);
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

/** Of a whole weight the numbers that a part holds. */
function rowsOf({ firstRow, shape }: WeightGroup['parts'][number], data: Float32Array): Float32Array {
  const start = (firstRow ?? 0) * size(shape.slice(1));
  return data.subarray(start, start + size(shape));
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
