// The files that hold a checkpoint's weights: model.safetensors, or the shards that an index names. As transformers 5 does
// (modeling_utils.py), a single file comes before an index, and of an index only the names of its files count.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors';
import { contentOf, readTextInside } from '../files/contained';
import type { ByteSource, openFileSource } from './byteSource';
import { isThere } from './folder';
import { refuseForeignContent } from '../shared/foreignContent';
import { readSafetensorsHeader, type SafetensorsHeader } from './safetensors';
import { parseStrictJson, quote } from './strictJson';

/** One file of weights, opened, with its checked header. */
export interface Shard {
  readonly file: string;
  readonly source: ByteSource;
  readonly header: SafetensorsHeader;
}

export const singleFile = 'model.safetensors';
export const indexFile = 'model.safetensors.index.json';
const mostShards = 1000;

/**
 * Opens model.safetensors, or every shard that model.safetensors.index.json names. The caller closes the sources.
 * @throws UserError `notFound` or `damagedCheckpoint`.
 */
export async function openShards(folder: string, openSource: typeof openFileSource): Promise<Shard[]> {
  if (await isThere(join(folder, singleFile))) return openAll(folder, [singleFile], openSource);
  const index = join(folder, indexFile);
  if (!(await isThere(index))) throw await noWeights(folder);
  const files = readIndex(index, await readTextInside(folder, indexFile));
  const shards = await openAll(folder, files, openSource);
  const twice = tensorInTwoShards(shards);
  if (twice === null) return shards;
  await closeAll(shards);
  throw new UserError(
    'damagedCheckpoint',
    `${index} is damaged: ${quote(twice.name)} is in both ${twice.files[0]} and ${twice.files[1]}; download the model again.`,
  );
}

export const closeAll = (shards: readonly Shard[]) => Promise.all(shards.map(({ source }) => source.close()));

async function openAll(folder: string, files: readonly string[], openSource: typeof openFileSource): Promise<Shard[]> {
  const shards: Shard[] = [];
  const within = await contentOf(folder);
  try {
    for (const file of files) {
      const path = join(folder, file);
      if (!(await isThere(path)))
        throw new UserError(
          'damagedCheckpoint',
          `${path} is missing, though the index names it; download the model again.`,
        );
      const source = await openSource(path, within);
      // Pushed before its header is read, so that it is closed if the header is bad.
      shards.push({ file, source, header: { tensors: [], metadata: {} } });
      shards[shards.length - 1] = { file, source, header: await readSafetensorsHeader(source) };
    }
    return shards;
  } catch (error) {
    await closeAll(shards);
    throw error;
  }
}

/** The files that an index names, sorted; only plain names of files in the same folder are taken. */
export function readIndex(path: string, text: string): string[] {
  const damaged = (what: string) =>
    new UserError('damagedCheckpoint', `${path} is damaged: ${what}; download the model again.`);
  refuseForeignContent(path, text, 'json');
  let json: unknown;
  try {
    json = parseStrictJson(text);
  } catch (error) {
    throw damaged(`it is not valid JSON: ${(error as Error).message}`);
  }
  const map = json !== null && typeof json === 'object' && 'weight_map' in json ? json.weight_map : null;
  if (map === null || typeof map !== 'object' || Array.isArray(map)) throw damaged('it has no weight_map');
  const entries = Object.entries(map as Record<string, unknown>);
  for (const [name, file] of entries) {
    if (typeof file !== 'string' || !/^[^/\\\0]+\.safetensors$/.test(file)) {
      const found = typeof file === 'string' ? quote(file) : 'something';
      throw damaged(`it puts ${quote(name)} in ${found}, which is not the plain name of a .safetensors file`);
    }
  }
  if (entries.length === 0) throw damaged('its weight_map is empty');
  // What is in it does not matter, but transformers does not open an index without it.
  if (!('metadata' in (json as object))) throw damaged('it has no metadata, such as {}');
  const files = [...new Set(entries.map(([, file]) => file as string))].sort();
  if (files.length > mostShards)
    throw new UserError(
      'overLimit',
      `${path} names ${files.length} files, but at most ${mostShards} are read; save the model in larger ones.`,
    );
  return files;
}

/** Two readers would take two different ones, where they differ. */
function tensorInTwoShards(shards: readonly Shard[]): { name: string; files: [string, string] } | null {
  const fileOf = new Map<string, string>();
  for (const { file, header } of shards) {
    for (const { name } of header.tensors) {
      const other = fileOf.get(name);
      if (other !== undefined) return { name, files: [other, file] };
      fileOf.set(name, file);
    }
  }
  return null;
}

/** What lies in a folder instead of weights that are read, and what to do about it: the first row that fits. */
const insteadOfWeights: readonly { readonly files: RegExp; readonly says: (file: string) => string }[] = [
  {
    files: /\.safetensors\.(incomplete|part|aria2|crdownload|tmp)$/,
    says: (file) => `${quote(file)}, a download that has not ended; download the model again`,
  },
  {
    files: /-\d+-of-\d+\.safetensors$/,
    says: (file) => `shards such as ${quote(file)} without ${indexFile}; get that file, too`,
  },
  { files: /^adapter_model\./, says: () => 'a LoRA adapter; give the folder of the model that it is for' },
  {
    files: /^model\.[^.]+\.safetensors$/,
    says: (file) => `only the variant ${quote(file)}; rename it to ${singleFile}`,
  },
  {
    files: /\.safetensors$/,
    says: (file) =>
      `${quote(file)} under a name that is not read; where its tensors are named as transformers names them, rename it to ${singleFile}`,
  },
  {
    files: /\.(bin|pt|pth|ckpt|gguf|ggml|onnx|h5|msgpack|npz|pkl|pickle)$/,
    says: (file) => `only ${quote(file)}; save the model as safetensors`,
  },
];

async function noWeights(folder: string): Promise<UserError> {
  const names = (await readdir(folder)).sort();
  const found = insteadOfWeights.flatMap(({ files, says }) => {
    const file = names.find((name) => files.test(name));
    return file === undefined ? [] : [says(file)];
  })[0];
  const read = `read are ${singleFile}, or shards with ${indexFile}`;
  return new UserError('notFound', `${folder} holds ${found ?? 'no weights'}; ${read}.`);
}
