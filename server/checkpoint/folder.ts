// Where the files of a checkpoint are: a plain folder, or Hugging Face's cache, where `models--owner--name` holds
// `refs/main` (a revision) and `snapshots/<revision>/` with links into `blobs/`.
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors';
import type { ByteSource, openFileSource } from './byteSource';
import { readSafetensorsHeader, type SafetensorsHeader } from './safetensors';
import { parseStrictJson, quote } from './strictJson';

/**
 * The folder that holds config.json, given that folder or a repository's folder in Hugging Face's cache.
 * @throws UserError `notFound` when there is none.
 */
export async function findCheckpointFolder(given: string): Promise<string> {
  const folder = resolve(given);
  const stats = await stat(folder).catch(() => null);
  if (!stats) throw new UserError('notFound', `There is no folder ${folder}.`);
  if (!stats.isDirectory())
    throw new UserError('notFound', `${folder} is a file; give the folder that holds config.json and *.safetensors.`);
  if (await isFile(join(folder, 'config.json'))) return folder;
  const snapshot = await findSnapshot(folder);
  if (snapshot) return snapshot;
  throw new UserError('notFound', `${folder} has no config.json; give the folder of a Hugging Face checkpoint.`);
}

/** What to call a checkpoint: the folder's last part, or `owner/name` in Hugging Face's cache. */
export function checkpointName(folder: string): string {
  const snapshots = dirname(folder);
  const repository = basename(snapshots) === 'snapshots' ? /^models--(.+)$/.exec(basename(dirname(snapshots))) : null;
  return repository ? repository[1]!.split('--').join('/') : basename(folder);
}

async function findSnapshot(repository: string): Promise<string | null> {
  const main = await readFile(join(repository, 'refs', 'main'), 'utf8').catch(() => null);
  const snapshots = await readdir(join(repository, 'snapshots')).catch((): string[] => []);
  const revision = main === null ? (snapshots.length === 1 ? snapshots[0]! : null) : main.trim();
  // The revision must be one of the names listed, so it cannot lead out of the cache.
  if (revision === null || !snapshots.includes(revision)) return null;
  const folder = join(repository, 'snapshots', revision);
  return (await isFile(join(folder, 'config.json'))) ? folder : null;
}

export const isFile = (path: string) =>
  stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );

export const isFolder = (path: string) =>
  stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );

/** One file of weights, opened, with its checked header. */
export interface Shard {
  readonly file: string;
  readonly source: ByteSource;
  readonly header: SafetensorsHeader;
}

/**
 * Opens model.safetensors, or every shard that model.safetensors.index.json names, and checks index and shards against
 * each other. The caller closes the sources.
 * @throws UserError `notFound` or `damagedCheckpoint`.
 */
export async function openShards(folder: string, openSource: typeof openFileSource): Promise<Shard[]> {
  if (await isFile(join(folder, 'model.safetensors'))) return openAll(folder, ['model.safetensors'], openSource);
  const index = join(folder, 'model.safetensors.index.json');
  if (!(await isFile(index))) throw await noWeights(folder);
  const weightMap = readIndex(index, await readFile(index, 'utf8'));
  const shards = await openAll(folder, [...new Set(weightMap.values())].sort(), openSource);
  const mismatch = findIndexMismatch(weightMap, shards);
  if (mismatch === null) return shards;
  await closeAll(shards);
  throw new UserError('damagedCheckpoint', `${index} is damaged: ${mismatch}; download the model again.`);
}

export const closeAll = (shards: readonly Shard[]) => Promise.all(shards.map(({ source }) => source.close()));

async function openAll(folder: string, files: readonly string[], openSource: typeof openFileSource): Promise<Shard[]> {
  const shards: Shard[] = [];
  try {
    for (const file of files) {
      const path = join(folder, file);
      if (!(await isFile(path)))
        throw new UserError(
          'damagedCheckpoint',
          `${path} is missing, though the index names it; download the model again.`,
        );
      const source = await openSource(path);
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

/** The index's map from weight to file; only plain names of files in the same folder are taken. */
function readIndex(path: string, text: string): Map<string, string> {
  const damaged = (what: string) =>
    new UserError('damagedCheckpoint', `${path} is damaged: ${what}; download the model again.`);
  let json: unknown;
  try {
    json = parseStrictJson(text);
  } catch (error) {
    throw damaged(`it is not valid JSON: ${(error as Error).message}`);
  }
  const map = json !== null && typeof json === 'object' && 'weight_map' in json ? json.weight_map : null;
  if (map === null || typeof map !== 'object' || Array.isArray(map)) throw damaged('it has no weight_map');
  const entries = Object.entries(map);
  for (const [name, file] of entries) {
    if (typeof file !== 'string' || !/^[^/\\\0]+\.safetensors$/.test(file)) {
      throw damaged(`it puts ${quote(name)} in something that is not the plain name of a .safetensors file`);
    }
  }
  if (entries.length === 0) throw damaged('its weight_map is empty');
  return new Map(entries as [string, string][]);
}

/** What index and shards disagree about, null if nothing. */
function findIndexMismatch(weightMap: ReadonlyMap<string, string>, shards: readonly Shard[]): string | null {
  const seen = new Set<string>();
  for (const { file, header } of shards) {
    for (const { name } of header.tensors) {
      const listed = weightMap.get(name);
      if (listed === undefined) return `${file} holds ${quote(name)}, which the index does not list`;
      if (listed !== file) return `${file} holds ${quote(name)}, which the index puts in ${quote(listed)}`;
      seen.add(name);
    }
  }
  for (const [name, file] of weightMap) if (!seen.has(name)) return `${quote(name)} is not in ${quote(file)}`;
  return null;
}

async function noWeights(folder: string): Promise<UserError> {
  const names = await readdir(folder);
  const other = names.find((name) => /\.(bin|pt|pth|gguf|onnx|h5|msgpack)$/.test(name));
  const found = other ? `only ${quote(other)}` : 'no weights';
  return new UserError(
    'notFound',
    `${folder} holds ${found}; supported are model.safetensors, or shards with model.safetensors.index.json.`,
  );
}
