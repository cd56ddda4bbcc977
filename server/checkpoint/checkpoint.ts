// A model on disk: config, weights by name, and where it came from. Opening reads headers only; weights are read when
// asked for, widened to f32. All names and shapes are checked while opening, so reading does not fail later for them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors';
import type { BlockConfig, ModelConfig, WeightDtype } from '../model/config';
import { readModelConfig } from '../model/readConfig';
import { blockWeightName, headName, outputProjections, weightShapes } from '../model/weights';
import { openFileSource } from './byteSource';
import { bytesPerWeight } from './dtype';
import { checkpointName, closeAll, findCheckpointFolder, isFile, openShards, type Shard } from './folder';
import { type Provenance, parseProvenance, provenanceFile } from './provenance';
import { type WeightEntry, type WeightReader, weightReader } from './weightReader';

export interface Checkpoint extends WeightReader {
  /** The folder that holds config.json, absolute; inside Hugging Face's cache the snapshot. */
  readonly folder: string;
  /** The folder's last part, or `owner/name` in Hugging Face's cache. */
  readonly name: string;
  readonly config: ModelConfig;
  readonly configJson: Readonly<Record<string, unknown>>;
  /** config.json as it is written. */
  readonly configText: string;
  /** The weights of `weightShapes(config)`, and a tied model's own `lm_head.weight` if the files hold one. */
  readonly weights: ReadonlyMap<string, WeightEntry>;
  /** Tensors that the model does not use, such as old rotary tables. */
  readonly extraNames: readonly string[];
  /** From espalier.json; null for a model that we did not prune. */
  readonly provenance: Provenance | null;
  /** Bytes of `weights` on disk. */
  readonly sizeBytes: number;
  close(): Promise<void>;
}

/**
 * Opens the folder of a checkpoint, or a repository's folder in Hugging Face's cache.
 * @throws UserError `notFound`, `unsupportedModel` or `damagedCheckpoint`, saying which file, what was found and what was expected.
 */
export async function openCheckpoint(
  given: string,
  openSource: typeof openFileSource = openFileSource,
): Promise<Checkpoint> {
  const folder = await findCheckpointFolder(given);
  const configText = await readFile(join(folder, 'config.json'), 'utf8');
  const configJson = parseConfig(folder, configText);
  const config = readModelConfig(configJson);
  const provenancePath = join(folder, provenanceFile);
  const provenance = (await isFile(provenancePath))
    ? parseProvenance(await readFile(provenancePath, 'utf8'), provenancePath, config.nBlocks)
    : null;
  const shards = await openShards(folder, openSource);
  try {
    const { weights, extraNames } = matchWeights(folder, config, shards);
    const sources = new Map(shards.map(({ file, source }) => [file, source]));
    const reader = weightReader(weights, sources);
    let sizeBytes = 0;
    for (const { nBytes } of weights.values()) sizeBytes += nBytes;
    return {
      folder,
      name: checkpointName(folder),
      config: { ...config, blocks: await withForms(config, provenance, weights, reader) },
      configJson,
      configText,
      weights,
      extraNames,
      provenance,
      sizeBytes,
      ...reader,
      close: async () => void (await closeAll(shards)),
    };
  } catch (error) {
    await closeAll(shards);
    throw error;
  }
}

function parseConfig(folder: string, text: string): Record<string, unknown> {
  try {
    // Whether it is an object is for readModelConfig to say.
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new UserError(
      'damagedCheckpoint',
      `${join(folder, 'config.json')} is not valid JSON; download the model again.`,
    );
  }
}

/** What the model needs against what the files hold. */
function matchWeights(folder: string, config: ModelConfig, shards: readonly Shard[]) {
  const found = new Map(
    shards.flatMap(({ file, header }) => header.tensors.map((tensor) => [tensor.name, { ...tensor, file }] as const)),
  );
  const needed = weightShapes(config);
  const head = found.get(headName);
  if (config.tiedEmbeddings && head) needed.set(headName, [config.vocabularySize, config.width]);
  const weights = new Map<string, WeightEntry>();
  for (const [name, shape] of needed) {
    const tensor = found.get(name);
    if (!tensor) {
      throw new UserError(
        'damagedCheckpoint',
        `${folder} lacks the weight ${name} of shape [${shape}], which its config.json asks for.`,
      );
    }
    if (String(tensor.shape) !== String(shape)) {
      throw new UserError(
        'damagedCheckpoint',
        `${join(folder, tensor.file)} holds ${name} in the shape [${tensor.shape}], but config.json asks for [${shape}].`,
      );
    }
    const { dtype } = tensor;
    if (!isWeightDtype(dtype)) {
      throw new UserError(
        'unsupportedModel',
        `${join(folder, tensor.file)} holds ${name} as ${dtype}; supported are F32, F16 and BF16.`,
      );
    }
    weights.set(name, { ...tensor, dtype });
  }
  return { weights, extraNames: [...found.keys()].filter((name) => !weights.has(name)) };
}

/**
 * The blocks with the sublayers that they have. What espalier.json says of a dropped sublayer is believed only where the output
 * projection really is zero: another program may have trained the model since, and then the sublayer is computed again.
 */
async function withForms(
  { blocks }: ModelConfig,
  provenance: Provenance | null,
  weights: ReadonlyMap<string, WeightEntry>,
  reader: WeightReader,
): Promise<ModelConfig['blocks']> {
  const silent = async (sublayer: 'attention' | 'mlp', block: number) => {
    if (!provenance?.droppedSublayers?.[sublayer].includes(block)) return false;
    for (const part of ['weight', 'bias']) {
      const name = blockWeightName(block, `${outputProjections[sublayer]}.${part}`);
      if (weights.has(name) && !(await isZero(reader, name, weights.get(name)!.nBytes))) return false;
    }
    return true;
  };
  const made: BlockConfig[] = [];
  for (const [k, block] of blocks.entries()) {
    const [noAttention, noMlp] = [await silent('attention', k), await silent('mlp', k)];
    const sublayers = noAttention === noMlp ? 'whole' : noAttention ? 'mlpOnly' : 'attentionOnly';
    made.push({ ...block, sublayers });
  }
  return made;
}

/** Whether all bytes of a weight are zero. */
async function isZero(reader: WeightReader, name: string, nBytes: number): Promise<boolean> {
  const chunkBytes = 2 ** 20;
  for (let start = 0; start < nBytes; start += chunkBytes) {
    const bytes = await reader.readBytes(name, start, Math.min(chunkBytes, nBytes - start));
    if (bytes.some((byte) => byte !== 0)) return false;
  }
  return true;
}

const isWeightDtype = (dtype: string): dtype is WeightDtype => Object.hasOwn(bytesPerWeight, dtype);
