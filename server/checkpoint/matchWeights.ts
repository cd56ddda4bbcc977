// The tensors of the files as the weights that a model needs, as transformers 5 matches them (core_model_loading.py,
// rename_source_key; modeling_utils.py, tie_weights): the prefix `model.` may be absent, and what is stored decides on ties.
import { UserError } from '../errors';
import type { ModelConfig, WeightDtype } from '../model/config';
import { embeddingName, headName, weightShapes } from '../model/weights';
import { bytesPerWeight } from './dtype';
import { missingWeight } from './missingWeight';
import { quantisedForm } from './quantisedForms';
import type { Shard } from './shards';
import { quote } from './strictJson';
import type { StoredTensor, WeightEntry } from './weightReader';

export interface MatchedWeights {
  /** By their names in transformers. */
  readonly weights: Map<string, WeightEntry>;
  /**
   * Whether the head is the embedding. `ifEqual`: the config says so, yet a head is stored, too; transformers ties them only
   * where their numbers are the same.
   */
  readonly tied: boolean | 'ifEqual';
  /** Names, as they are stored, of tensors that the model does not use. */
  readonly unusedNames: readonly string[];
}

/**
 * What the model needs against what the files hold.
 * @throws UserError `damagedCheckpoint` or `unsupportedModel`, naming the weight.
 */
export function matchWeights(folder: string, config: ModelConfig, shards: readonly Shard[]): MatchedWeights {
  const names = new Set(weightShapes({ ...config, tiedEmbeddings: false }).keys());
  const stored = storedTensors(folder, names, shards);
  const tied = config.tiedEmbeddings && (stored.has(headName) && stored.has(embeddingName) ? 'ifEqual' : true);
  const weights = new Map<string, WeightEntry>();
  for (const [name, shape] of weightShapes({ ...config, tiedEmbeddings: tied === true })) {
    // Of a tied model either of the two may be stored.
    const found = stored.get(name) ?? (tied === true && name === embeddingName ? stored.get(headName) : undefined);
    if (!found) {
      refuseQuantised(folder, stored);
      throw missingWeight({ folder, config, stored }, name, shape);
    }
    weights.set(name, { ...checked(folder, stored, found, shape), name });
    stored.delete(found.name);
  }
  const unused = [...stored.values()].filter(({ storedName }) => !isOldTable(storedName));
  return { weights, tied, unusedNames: unused.map(({ storedName }) => storedName) };
}

/** Old checkpoints hold the frequencies of rotations, which every reader computes anew and leaves aside without a word. */
const isOldTable = (name: string) => name.includes('rotary_emb.inv_freq');

function storedTensors(
  folder: string,
  names: ReadonlySet<string>,
  shards: readonly Shard[],
): Map<string, StoredTensor> {
  const stored = new Map<string, StoredTensor>();
  for (const { file, header } of shards) {
    for (const tensor of header.tensors) {
      const name = nameInModel(tensor.name, names);
      const other = stored.get(name)?.storedName;
      if (other !== undefined) {
        throw new UserError(
          'damagedCheckpoint',
          `${folder} holds ${name} under two names, ${quote(other)} and ${quote(tensor.name)}; get the model again, or remove one of them.`,
        );
      }
      stored.set(name, { ...tensor, name, storedName: tensor.name, file });
    }
  }
  return stored;
}

/** `layers.3.x` of a bare LlamaModel is `model.layers.3.x`, and so are `model.model.layers.3.x` and `model.lm_head.weight`. */
function nameInModel(stored: string, names: ReadonlySet<string>): string {
  const without = stored.replace(/^model\./, '');
  if (without !== stored && names.has(without)) return without;
  return names.has(`model.${stored}`) ? `model.${stored}` : stored;
}

/** A tensor that can be the weight: of the shape that the config asks for, and of a dtype that is computed. */
function checked(
  folder: string,
  stored: ReadonlyMap<string, StoredTensor>,
  tensor: StoredTensor,
  shape: readonly number[],
): WeightEntry {
  const { dtype, storedName } = tensor;
  const holds = `${folder}/${tensor.file} holds ${storedName}`;
  if (!isWeightDtype(dtype)) {
    refuseQuantised(folder, stored);
    throw new UserError('unsupportedModel', `${holds} as ${dtype}; supported are F64, F32, F16 and BF16.`);
  }
  if (String(tensor.shape) !== String(shape)) {
    throw new UserError(
      'damagedCheckpoint',
      `${holds} in the shape [${tensor.shape}], but config.json asks for [${shape}]${sizeKeys(tensor.name)}.`,
    );
  }
  return { ...tensor, dtype };
}

/** Which keys of config.json decide about a weight's shape. */
function sizeKeys(name: string): string {
  const keys = [
    [/embed_tokens|lm_head/, 'vocab_size and hidden_size'],
    [/mlp\.\w+_proj/, 'intermediate_size and hidden_size'],
    [/self_attn\.\w+_proj/, 'hidden_size, num_attention_heads, num_key_value_heads and head_dim'],
    [/norm/, 'hidden_size'],
  ] as const;
  const found = keys.find(([pattern]) => pattern.test(name));
  return found ? ` by its ${found[1]}` : '';
}

function refuseQuantised(folder: string, stored: ReadonlyMap<string, StoredTensor>): void {
  const form = quantisedForm([...stored.values()]);
  if (form === null) return;
  throw new UserError(
    'unsupportedModel',
    `${folder} holds quantised weights (${form}, by the names and dtypes of its tensors), though its config.json has no quantization_config; take the model that is not quantised (F64, F32, F16 or BF16).`,
  );
}

const isWeightDtype = (dtype: string): dtype is WeightDtype => Object.hasOwn(bytesPerWeight, dtype);
