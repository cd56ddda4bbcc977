// Surgery: writes a checkpoint without some of its blocks, or sublayers of them. The blocks that stay are renumbered from 0 and
// keep their bytes; espalier.json remembers which blocks of the first model they were. A sublayer that goes keeps its place,
// with its output projection zeroed: it adds nothing, and every program can load it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cancelled, UserError } from '../errors';
import type { Sublayers, ModelConfig, WeightDtype } from '../model/config';
import { hasAttention, hasMlp, type Path, pathWithout } from '../model/path';
import { blockWeightName, outputProjections, parseBlockWeightName } from '../model/weights';
import type { Dtype, DropSet } from '../protocol/recipes';
import { finiteJson } from '../shared/finite';
import { defaultMaxShardBytes } from '../shared/shardSize';
import type { Checkpoint } from './checkpoint';
import { copyAuxiliaryFiles, findAuxiliaryFiles } from './auxiliaryFiles';
import { configWithoutBlocks, formatConfig } from './configWithoutBlocks';
import { bytesPerWeight, narrowInto, roundInto, widenInto } from './dtype';
import { type Provenance, provenanceAfter, provenanceFile } from './provenance';
import { cutOf, type Cut, keptOf, type NarrowerMlps, shapeAfter } from './narrowerMlps';
import { notFiniteIn, notFiniteWeight } from './notFiniteWeight';
import type { SourceIdentity } from './sourceIdentity';
import { withStagedFolder } from './stagedFolder';
import { sumBytes, writeWeightFiles } from './weightFiles';
import type { WeightEntry } from './weightReader';

export interface SurgeryOptions {
  /** Blocks of `source` to leave out, and sublayers to leave out; each ascending and distinct; may be empty. */
  readonly drop: DropSet;
  /** Channels of MLPs to leave out of every block that stays; absent: none. */
  readonly narrower?: NarrowerMlps;
  /**
   * What to write in place of a weight, by its name in the source, [out, in] flat; null: the weight itself. Asked for one
   * weight after another, so that a model may be changed that does not fit into memory.
   */
  replaced?(name: string): Promise<Float32Array> | null;
  /** Whether weights that stay as they are may be NaN or infinite, as by default; those of `replaced` may not. */
  readonly numbers?: 'any' | 'finite';
  readonly out: string;
  /** null: every weight keeps its own. */
  readonly dtype: Dtype | null;
  readonly maxShardBytes?: number;
  /** How the blocks were chosen: method, calibration, scores, versions. Written down, not looked at. */
  readonly provenance: Readonly<Record<string, unknown>>;
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
  readonly signal?: AbortSignal;
  /** What is read beside `source`, to be unchanged in the end as that is. */
  readonly others?: readonly SourceIdentity[];
}

export interface SurgeryResult {
  readonly folder: string;
  /** Numbers in `source` of the blocks that the result has. */
  readonly keptBlocks: readonly number[];
  readonly weightFiles: readonly string[];
  readonly weightBytes: number;
  /** Tensors of `source` that the model does not use; they were left behind. */
  readonly unusedNames: readonly string[];
  readonly provenance: Provenance;
}

/**
 * Writes `source` without the blocks of the drop set to the folder `out`, which appears complete or not at all.
 * @throws UserError `badChoice` for a drop set that does not fit or numbers that `dtype` cannot hold, `notFinite` for
 *   numbers that may not be written, `damagedCheckpoint` when `source` was changed meanwhile, `cannotWrite` when the output cannot be made, `cancelled` after `signal`.
 */
export async function writeWithoutBlocks(source: Checkpoint, options: SurgeryOptions): Promise<SurgeryResult> {
  const { drop, out, dtype, maxShardBytes = defaultMaxShardBytes } = options;
  const path = keptPath(source.config, drop);
  const keptBlocks = path.map(({ block }) => block);
  const weights = keptWeights(source, path, dtype, options.narrower);
  const weightBytes = sumBytes(weights);
  const { files: auxiliaryFiles, config: usable } = await findAuxiliaryFiles(
    source.folder,
    source.configJson,
    keptBlocks,
  );
  const config = configWithoutBlocks(usable, keptBlocks, dtype);
  // Not every reader looks at the weights before it believes the config.
  if (source.ownHeadDespiteTie) config.tie_word_embeddings = false;
  if (options.narrower) config.intermediate_size = options.narrower.width;
  const original = (block: number) => source.provenance?.keptBlocks[block] ?? block;
  const removedBlocks = source.config.blocks.flatMap((_, k) => (keptBlocks.includes(k) ? [] : [original(k)]));
  const anySublayer = drop.attention.length + drop.mlp.length > 0;
  const removedHalves = { attention: drop.attention.map(original), mlp: drop.mlp.map(original) };
  const mlpWidth = options.narrower && { mlpWidth: options.narrower.width };
  const removed = { removedBlocks, ...(anySublayer && { removedHalves }), ...mlpWidth };
  const step = { kind: 'prune', ...options.provenance, ...removed, dtype };
  const provenance = provenanceAfter({ ...source, nBlocks: source.config.nBlocks }, path, step);
  const neededBytes = auxiliaryFiles.reduce((sum, { sizeBytes }) => sum + sizeBytes, weightBytes);
  const convert = converter(source, options);
  let bytesDone = 0;
  async function* bytesOf(weight: KeptWeight) {
    for await (const chunk of convert(weight)) {
      yield chunk;
      bytesDone += chunk.length;
      options.onProgress?.(bytesDone, weightBytes);
    }
  }
  const weightFiles = await withStagedFolder(
    out,
    async (stage) => {
      await writeFile(join(stage, 'config.json'), formatConfig(config, source.configText));
      await writeFile(join(stage, provenanceFile), jsonText(provenance));
      await copyAuxiliaryFiles(auxiliaryFiles, source.folder, stage);
      const files = await writeWeightFiles(stage, weights, maxShardBytes, bytesOf);
      for (const each of [source, ...(options.others ?? [])]) await each.refuseChanged();
      return files;
    },
    { sources: [source.folder], neededBytes },
  );
  return { folder: out, keptBlocks, weightFiles, weightBytes, unusedNames: source.unusedNames, provenance };
}

/** A weight of the result: its new name and dtype, and where its numbers come from. */
interface KeptWeight {
  readonly name: string;
  readonly dtype: WeightDtype;
  readonly shape: readonly number[];
  readonly entry: WeightEntry;
  readonly zeroed: boolean;
  /** null: all of it stays. */
  readonly cut: Cut | null;
}

function keptPath(config: ModelConfig, drop: DropSet): Path {
  for (const list of [drop.blocks, drop.attention, drop.mlp]) checkBlocks(list, config.nBlocks);
  const path = pathWithout(config, drop);
  if (path.length === 0)
    throw new UserError('badChoice', `Dropping all ${config.nBlocks} blocks leaves no model; keep at least one.`);
  return path;
}

function checkBlocks(dropSet: readonly number[], nBlocks: number): void {
  for (const [i, block] of dropSet.entries()) {
    if (!Number.isInteger(block) || block < 0 || block >= nBlocks) {
      throw new UserError('badChoice', `Block ${block} cannot be dropped; the model has blocks 0 to ${nBlocks - 1}.`);
    }
    if (i > 0 && block <= dropSet[i - 1]!)
      throw new UserError('badChoice', `The drop set names block ${block} twice or out of order; sort it.`);
  }
}

/** In the order of use, as `source.weights` has them. */
function keptWeights(source: Checkpoint, path: Path, dtype: Dtype | null, narrower?: NarrowerMlps): KeptWeight[] {
  const places = new Map(path.map((stage, i) => [stage.block, { ...stage, i }]));
  return [...source.weights.values()].flatMap((entry) => {
    const kept = { dtype: dtype === null ? entry.dtype : weightDtypes[dtype], shape: entry.shape, entry };
    const inBlock = parseBlockWeightName(entry.name);
    if (!inBlock) return [{ ...kept, name: entry.name, zeroed: false, cut: null }];
    const place = places.get(inBlock.block);
    if (!place) return [];
    const name = blockWeightName(place.i, inBlock.suffix);
    const channels = narrower?.kept.get(inBlock.block);
    const cut = channels ? cutOf(inBlock.suffix, channels, source.config.mlpWidth) : null;
    const shape = cut ? shapeAfter(entry.shape, cut) : entry.shape;
    return [{ ...kept, shape, name, zeroed: isSilenced(place.sublayers, inBlock.suffix), cut }];
  });
}

/** Whether a weight is what a dropped sublayer would add through. */
const isSilenced = (sublayers: Sublayers, suffix: string): boolean =>
  (!hasAttention(sublayers) && suffix.startsWith(`${outputProjections.attention}.`)) ||
  (!hasMlp(sublayers) && suffix.startsWith(`${outputProjections.mlp}.`));

const weightDtypes = { f32: 'F32', f16: 'F16', bf16: 'BF16' } as const satisfies Record<Dtype, WeightDtype>;

const chunkElements = 2 ** 20;

/** A weight's bytes in its new dtype, chunk by chunk; all weights share the same three small buffers. */
function converter(source: Checkpoint, { replaced, numbers: allowed, signal }: SurgeryOptions) {
  const raw = new Uint8Array(8 * chunkElements);
  const asFloat = new Float32Array(chunkElements);
  const asHalf = new Uint16Array(chunkElements);
  return async function* ({ dtype, entry, zeroed, cut }: KeptWeight) {
    const numbers = zeroed ? null : await replaced?.(entry.name);
    const elementBytes = bytesPerWeight[entry.dtype];
    const rowLength = entry.shape.slice(1).reduce((n, dim) => n * dim, 1);
    // What is cut goes in whole rows.
    const stepElements = cut ? Math.max(1, Math.floor(chunkElements / rowLength)) * rowLength : chunkElements;
    for (let start = 0; start < entry.nBytes; start += stepElements * elementBytes) {
      if (signal?.aborted) throw cancelled();
      const first = start / elementBytes;
      const rows = { first: first / rowLength, length: rowLength };
      if (zeroed || numbers) {
        const n = Math.min(stepElements, entry.nBytes / elementBytes - first);
        const floats = numbers ? numbers.subarray(first, first + n) : asFloat.fill(0, 0, n).subarray(0, n);
        const lost = notFiniteIn({ ...entry, dtype: 'F32' }, bytesUnder(floats), 4 * first);
        if (lost) throw notFiniteWeight(lost, 'computed');
        const left = cut ? keptOf(floats, asFloat, { ...rows, unit: 1 }, cut) : floats;
        yield converted(dtype, entry.name, left);
        continue;
      }
      const nBytes = Math.min(stepElements * elementBytes, entry.nBytes - start);
      const read = await source.readBytes(entry.name, start, nBytes, raw);
      const lost = allowed === 'finite' && notFiniteIn(entry, read, start);
      if (lost) throw notFiniteWeight(lost, 'read');
      const inBytes = { ...rows, length: rowLength * elementBytes, unit: elementBytes };
      const bytes = cut ? keptOf(read, read, inBytes, cut) : read;
      if (dtype === entry.dtype) {
        yield bytes;
        continue;
      }
      const n = bytes.length / elementBytes;
      const floats = entry.dtype === 'F32' ? new Float32Array(bytes.buffer, 0, n) : asFloat.subarray(0, n);
      if (entry.dtype === 'F64') roundInto(new Float64Array(bytes.buffer, 0, n), floats);
      else if (entry.dtype !== 'F32') widenInto(entry.dtype, new Uint16Array(bytes.buffer, 0, n), floats);
      yield converted(dtype, entry.name, floats);
    }
  };

  function converted(dtype: WeightDtype, name: string, floats: Float32Array): Uint8Array {
    if (dtype === 'F32') return bytesUnder(floats);
    if (dtype === 'F64') return bytesUnder(Float64Array.from(floats));
    const halves = asHalf.subarray(0, floats.length);
    const nOverflowed = narrowInto(dtype, floats, halves);
    if (nOverflowed > 0) {
      throw new UserError(
        'badChoice',
        `${name} holds ${nOverflowed} numbers too large for ${dtype.toLowerCase()}; choose f32 or bf16, or keep its dtype.`,
      );
    }
    return bytesUnder(halves);
  }
}

const bytesUnder = ({ buffer, byteOffset, byteLength }: Float64Array | Float32Array | Uint16Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

const jsonText = (value: object) => `${finiteJson(value, 2)}\n`;
