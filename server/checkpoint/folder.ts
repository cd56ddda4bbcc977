// Where the files of a checkpoint are: a plain folder, or Hugging Face's cache, where `models--owner--name` holds
// `refs/main` (a revision) and `snapshots/<revision>/` with links into `blobs/`.
import { readdir, readlink, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors';
import { readTextInside, resolveInside } from '../files/contained';
import { nullIfMissing } from '../shared/systemErrors';
import { quote } from './strictJson';

/**
 * The folder that holds config.json, given that folder or a repository's folder in Hugging Face's cache.
 * @throws UserError `notFound` when there is none.
 */
export async function findCheckpointFolder(given: string): Promise<string> {
  const folder = resolve(given);
  const stats = await stat(folder).catch(nullIfMissing);
  if (!stats) throw new UserError('notFound', `There is no folder ${folder}.`);
  if (!stats.isDirectory())
    throw new UserError('notFound', `${folder} is a file; give the folder that holds config.json and *.safetensors.`);
  if (await isThere(join(folder, 'config.json'))) return folder;
  const snapshot = await findSnapshot(folder);
  if (snapshot) return snapshot;
  const names = await readdir(folder).catch((): string[] => []);
  throw new UserError('notFound', `${folder} ${await noConfig(folder, names)}.`);
}

/** What to call a checkpoint: the folder's last part, or `owner/name` in Hugging Face's cache. */
export function checkpointName(folder: string): string {
  const snapshots = dirname(folder);
  const repository = basename(snapshots) === 'snapshots' ? /^models--(.+)$/.exec(basename(dirname(snapshots))) : null;
  return repository ? repository[1]!.split('--').join('/') : basename(folder);
}

async function findSnapshot(repository: string): Promise<string | null> {
  const main = await readTextInside(repository, join('refs', 'main')).catch(nullIfMissing);
  const snapshots = (await readdir(join(repository, 'snapshots')).catch(nullIfMissing)) ?? [];
  const revision = main === null ? (snapshots.length === 1 ? snapshots[0]! : null) : main.trim();
  // The revision must be one of the names listed, so it cannot lead out of the cache.
  if (revision === null || !snapshots.includes(revision)) return null;
  const folder = join(repository, 'snapshots', revision);
  await resolveInside(repository, join('snapshots', revision));
  return (await isThere(join(folder, 'config.json'))) ? folder : null;
}

/** What a folder is that has no config.json, and what to give instead. */
async function noConfig(folder: string, names: readonly string[]): Promise<string> {
  if (names.includes('adapter_config.json')) {
    const base = await baseOfAdapter(folder);
    return `is the folder of an adapter${base ? ` for ${quote(base)}` : ''}, not of a model; give the model's folder here, and the adapter where one is asked for`;
  }
  const gguf = names.find((name) => name.endsWith('.gguf'));
  if (gguf) return `holds ${quote(gguf)} and no config.json; take the model in the format of transformers`;
  if (names.includes('params.json'))
    return "has no config.json but params.json, as Meta's and Mistral's own files have; take the model in the format of transformers";
  if (names.includes('snapshots') || names.includes('blobs'))
    return "has no config.json in a snapshot that refs/main names; the download was interrupted, or give one of its snapshots' folders";
  const below = await folderBelow(folder, names);
  return `has no config.json; give the folder of a Hugging Face checkpoint${below ? `, such as ${join(folder, below)}` : ''}`;
}

async function baseOfAdapter(folder: string): Promise<string | null> {
  try {
    const { base_model_name_or_path: base } = JSON.parse(await readTextInside(folder, 'adapter_config.json')) as Record<
      string,
      unknown
    >;
    return typeof base === 'string' && base !== '' ? base : null;
  } catch {
    return null; // its own reader says what is wrong with it
  }
}

/** The first of few folders inside that holds a config.json. */
async function folderBelow(folder: string, names: readonly string[]): Promise<string | null> {
  for (const name of [...names].sort().slice(0, 100)) {
    if (name.startsWith('models--') || (await isFile(join(folder, name, 'config.json')).catch(() => false)))
      return name;
  }
  return null;
}

/**
 * Whether a file is there, links followed.
 * @throws UserError `damagedCheckpoint` for a link to nothing: Hugging Face's cache holds links to files that may never have come.
 */
export async function isThere(path: string): Promise<boolean> {
  if (await isFile(path)) return true;
  const target = await readlink(path).catch(nullIfMissing);
  if (target === null || (await isFolder(path))) return false;
  if (await stat(path).catch(() => null))
    throw new UserError('damagedCheckpoint', `${path} is a link to ${target}, which is no file; put the file there.`);
  throw new UserError(
    'damagedCheckpoint',
    `${path} is a link to ${target}, which is not there; the download was interrupted, so download the model again.`,
  );
}

/** Both throw UserError `cannotRead` where the system does not say: that is not the same as nothing. */
export const isFile = async (path: string): Promise<boolean> =>
  (await stat(path).catch(nullIfMissing))?.isFile() ?? false;

export const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(nullIfMissing))?.isDirectory() ?? false;
