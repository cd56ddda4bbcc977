// The sentence for a weight that config.json asks for and no file holds: what is there instead, and what to do.
// transformers fills such weights with random numbers and a warning.
import { UserError } from '../errors';
import type { ModelConfig } from '../model/config';
import { embeddingName, headName, parseBlockWeightName } from '../model/weights';
import { quote } from './strictJson';
import type { StoredTensor } from './weightReader';

interface Held {
  readonly folder: string;
  readonly config: ModelConfig;
  readonly stored: ReadonlyMap<string, StoredTensor>;
}

export function missingWeight(held: Held, name: string, shape: readonly number[]): UserError {
  const { folder, stored } = held;
  const wrapped = wrappedName(stored, name);
  if (wrapped) {
    const { storedName, added } = wrapped;
    return new UserError(
      'unsupportedModel',
      `${folder} holds ${quote(storedName)} in place of ${name}: ${advice(added)}.`,
    );
  }
  const first = stored.values().next().value;
  const reason =
    reasonOf(held, name) ??
    (first
      ? `which its config.json asks for; it holds ${stored.size} other tensors, such as ${quote(first.storedName)}`
      : 'and every other one');
  return new UserError('damagedCheckpoint', `${folder} lacks the weight ${name} of shape [${shape}], ${reason}.`);
}

/** What wrappers and trainers put into names, and what to do about it. */
const insertions: readonly { readonly added: RegExp; readonly advice: (added: string) => string }[] = [
  {
    added: /base_layer/,
    advice: () => 'it is the base beside an adapter that was not merged; merge the adapter, or take the original model',
  },
  {
    added: /(^|\.)base_model\.model\.$/,
    advice: () =>
      'the prefix "base_model.model." is that of PEFT; save the model after merge_and_unload, or remove the prefix',
  },
  { added: /./, advice: (added) => `nothing reads tensors with ${quote(added)} in their names; remove it from them` },
];

const advice = (added: string) => insertions.find((row) => row.added.test(added))!.advice(added);

/** A stored tensor whose name is the wanted one with something before or in it, such as `module.` or `._orig_mod`. */
function wrappedName(
  stored: ReadonlyMap<string, StoredTensor>,
  wanted: string,
): { storedName: string; added: string } | null {
  for (const { storedName } of stored.values()) {
    const added = addedPart(storedName, wanted) ?? addedPart(storedName, wanted.replace(/^model\./, ''));
    if (added !== null) return { storedName, added };
  }
  return null;
}

/** What stands in a name beyond another one, where that is one piece that ends or begins with a point. */
function addedPart(name: string, wanted: string): string | null {
  const length = name.length - wanted.length;
  if (length <= 0) return null;
  for (let at = 0; at <= wanted.length; at++) {
    if (at > 0 && wanted[at - 1] !== '.') continue;
    const added = name.slice(at, at + length);
    if (added.endsWith('.') && name.slice(0, at) + name.slice(at + length) === wanted) return added;
  }
  return null;
}

/** Which key of config.json asks for the weight, where one is likely to be wrong. */
function reasonOf({ config, stored }: Held, name: string): string | null {
  if (name === headName) {
    return `which its config.json asks for, since tie_word_embeddings is not true; state true where the head is the embedding, or get the file that holds it`;
  }
  if (name === embeddingName && config.tiedEmbeddings)
    return `and holds no ${headName} either, though its config.json ties the two; download the model again`;
  const inBlock = parseBlockWeightName(name);
  if (!inBlock) return null;
  const blocks = new Set([...stored.keys()].map((other) => parseBlockWeightName(other)?.block ?? -1));
  blocks.delete(-1);
  if (blocks.size > 0 && !blocks.has(inBlock.block)) {
    return `which its config.json asks for, since num_hidden_layers is ${config.nBlocks}; the files hold ${blocks.size} layers, the last of them ${Math.max(...blocks)}`;
  }
  const key = name.endsWith('.bias') ? (inBlock.suffix.startsWith('mlp') ? 'mlp_bias' : 'attention_bias') : null;
  return key && `which its config.json asks for by ${key} or its model_type`;
}
