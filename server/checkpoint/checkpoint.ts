// A model on disk: config, weights by name, and where it came from. Opening reads headers only; weights are read when
// asked for, widened to f32. All names and shapes are checked while opening, so reading does not fail later for them.
import { join } from 'node:path';
import { UserError } from '../errors';
import { readTextInside } from '../files/contained';
import type { BlockConfig, ModelConfig, WeightDtype } from '../model/config';
import { readModelConfig } from '../model/readConfig';
import { blockWeightName, embeddingName, headName, outputProjections } from '../model/weights';
import { isPartOfModel } from './partNames';
import { adapterConfigFile } from './adapterConfig';
import { openFileSource } from './byteSource';
import { checkpointName, findCheckpointFolder, isFile } from './folder';
import { refuseForeignContent } from '../shared/foreignContent';
import { matchWeights } from './matchWeights';
import { type Provenance, parseProvenance, provenanceFile } from './provenance';
import { sameNumbers } from './sameNumbers';
import { closeAll, openShards } from './shards';
import { type SourceIdentity, sourceIdentityOf } from './sourceIdentity';
import { type WeightEntry, type WeightReader, weightReader } from './weightReader';

export interface Checkpoint extends WeightReader, SourceIdentity {
  /** The folder that holds config.json, absolute; inside Hugging Face's cache the snapshot. */
  readonly folder: string;
  /** The folder's last part, or `owner/name` in Hugging Face's cache. */
  readonly name: string;
  /** Of `tiedEmbeddings` and `dtype` the files decide, not config.json. */
  readonly config: ModelConfig;
  readonly configJson: Readonly<Record<string, unknown>>;
  /** config.json as it is written. */
  readonly configText: string;
  /** The weights of `weightShapes(config)`. */
  readonly weights: ReadonlyMap<string, WeightEntry>;
  /** config.json ties head and embedding, but the files hold a head of its own, and that is used. */
  readonly ownHeadDespiteTie: boolean;
  /** Tensors that the model does not use, such as biases that config.json does not state. */
  readonly unusedNames: readonly string[];
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
  const identity = await sourceIdentityOf(folder, isPartOfModel);
  const configText = await readTextInside(folder, 'config.json');
  const configJson = parseConfig(folder, configText);
  const config = readModelConfig(configJson);
  await refuseAdapterBeside(folder);
  const provenancePath = join(folder, provenanceFile);
  const provenance = (await isFile(provenancePath))
    ? parseProvenance(await readTextInside(folder, provenanceFile), provenancePath, config.nBlocks)
    : null;
  const shards = await openShards(folder, openSource);
  try {
    const { weights, tied, unusedNames } = matchWeights(folder, config, shards);
    const reader = weightReader(weights, new Map(shards.map(({ file, source }) => [file, source])));
    const tiedEmbeddings = tied === 'ifEqual' ? await sameNumbers(reader, weights, embeddingName, headName) : tied;
    if (tiedEmbeddings) weights.delete(headName);
    const entries = [...weights.values()];
    return {
      folder,
      name: checkpointName(folder),
      config: {
        ...config,
        tiedEmbeddings,
        dtype: mostUsed(entries),
        blocks: await withForms(config, provenance, weights, reader),
      },
      configJson,
      configText,
      weights,
      ownHeadDespiteTie: tied === 'ifEqual' && !tiedEmbeddings,
      unusedNames,
      provenance,
      sizeBytes: entries.reduce((sum, { nBytes }) => sum + nBytes, 0),
      ...reader,
      ...identity,
      close: async () => void (await closeAll(shards)),
    };
  } catch (error) {
    await closeAll(shards);
    throw error;
  }
}

/** Opens a checkpoint for the time of `body`. */
export async function withCheckpoint<T>(folder: string, body: (checkpoint: Checkpoint) => Promise<T>): Promise<T> {
  const checkpoint = await openCheckpoint(folder);
  try {
    return await body(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

/** The dtype of most of the numbers. */
function mostUsed(weights: readonly WeightEntry[]): WeightDtype {
  const numbers = { F64: 0, F32: 0, F16: 0, BF16: 0 };
  for (const { dtype, shape } of weights) numbers[dtype] += shape.reduce((n, side) => n * side, 1);
  return (Object.keys(numbers) as WeightDtype[]).reduce((most, dtype) =>
    numbers[dtype] > numbers[most] ? dtype : most,
  );
}

/** transformers adds an adapter that lies in the model's folder to the model, where PEFT is installed. */
async function refuseAdapterBeside(folder: string): Promise<void> {
  if (!(await isFile(join(folder, adapterConfigFile)))) return;
  throw new UserError(
    'unsupportedModel',
    `${folder} holds a model and an adapter (${adapterConfigFile}), which transformers would add to it; move the adapter's files into a folder of their own, and merge it where it is wanted.`,
  );
}

function parseConfig(folder: string, text: string): Record<string, unknown> {
  refuseForeignContent(join(folder, 'config.json'), text, 'json');
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
