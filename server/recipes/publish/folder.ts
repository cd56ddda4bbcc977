// What of a folder is published: what a model or an adapter is made of, its card and its licence, as a pull would fetch it. Pickles,
// code and whatever else lies there stay where they are, and are named.
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { FileHandle } from 'node:fs/promises';
import { readIndex } from '../../checkpoint/shards';
import { sourceIdentityOf } from '../../checkpoint/sourceIdentity';
import { UserError } from '../../errors';
import { openInside, readTextInside } from '../../files/contained';
import type { FileToSend } from '../../hub/commitFiles';
import { LazyBlob } from '../../hub/lazyBlob';
import { neededFiles } from '../../hub/neededFiles';
import type { CardFile } from '../../publishing/card/card';
import { size } from '../../shared/numbers';
import { cannotRead } from '../../shared/systemErrors';

export interface FolderToPublish {
  readonly folder: string;
  readonly files: readonly FileToSend[];
  readonly sizeBytes: number;
  /** Names within the folder; a folder in it counts as one. */
  readonly leftOut: readonly string[];
  /** @throws UserError `damagedCheckpoint` where a file is another one by now */
  refuseChanged(): Promise<void>;
}

/** The hub takes no larger file in one piece. */
const mostFileBytes = 50e9;

/**
 * Holds the files of the folder open for the time of `body`.
 * @param card what goes in the place of the folder's own files of those names
 */
export async function withFolder<T>(
  folder: string,
  card: readonly CardFile[],
  body: (found: FolderToPublish) => Promise<T>,
): Promise<T> {
  const paths = await pathsIn(folder);
  const parts = await partsOf(folder, paths);
  const names = parts.filter((path) => !card.some(({ name }) => name === path));
  const identity = await sourceIdentityOf(folder, (name) => names.includes(name));
  const handles: FileHandle[] = [];
  try {
    const files: FileToSend[] = card.map(({ name, text }) => ({ path: name, content: new Blob([text]) }));
    for (const path of names) {
      const handle = await openInside(folder, path).catch((error) => {
        throw cannotRead(error, join(folder, path));
      });
      handles.push(handle);
      const { size: sizeBytes } = await handle.stat();
      if (sizeBytes > mostFileBytes)
        throw new UserError(
          'overLimit',
          `${join(folder, path)} has ${size(sizeBytes)}, and the hub takes ${size(mostFileBytes)} in one file; write the model anew with --shard-size.`,
        );
      files.push({ path, content: new LazyBlob(handle, join(folder, path), 0, sizeBytes) });
    }
    const sizeBytes = files.reduce((sum, { content }) => sum + content.size, 0);
    const leftOut = [...new Set(paths.filter((path) => !parts.includes(path)).map((path) => topOf(path, parts)))];
    return await body({ folder, files, sizeBytes, leftOut, refuseChanged: () => identity.refuseChanged() });
  } finally {
    for (const handle of handles) await handle.close();
  }
}

async function partsOf(folder: string, paths: readonly string[]): Promise<string[]> {
  const remedy = 'give the folder of a model or an adapter with weights as safetensors';
  const { files, index } = neededFiles(basename(folder), paths, remedy);
  const shards = index === null ? [] : readIndex(join(folder, index), await readTextInside(folder, index));
  return [...new Set([...files, ...shards])].sort();
}

/** Two levels deep, as far as anything of a model lies. */
async function pathsIn(folder: string): Promise<string[]> {
  const list = (path: string) =>
    readdir(path, { withFileTypes: true }).catch((error) => {
      throw cannotRead(error, path);
    });
  const found: string[] = [];
  for (const entry of await list(folder)) {
    if (!entry.isDirectory()) found.push(entry.name);
    else for (const inner of await list(join(folder, entry.name))) found.push(`${entry.name}/${inner.name}`);
  }
  return found;
}

/** A folder of which nothing is published is named by itself. */
function topOf(path: string, published: readonly string[]): string {
  const top = path.split('/')[0]!;
  return published.some((name) => name.startsWith(`${top}/`)) ? path : path.includes('/') ? `${top}/` : path;
}
