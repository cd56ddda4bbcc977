// The folders below some others that look like models: plain folders two or three levels deep, and Hugging Face's cache. Only
// names are looked at.
import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { CandidateFolders } from '../protocol/reader';

/** The part of a connection's roots that is needed here. */
export interface SearchRoots {
  /** These throw for what leads outside. */
  resolve(folder: string): string;
  resolveModel(folder: string): string;
}

const mostLevels = 3;
/** Whoever opens a whole disk as a workspace shall get an answer, too. */
const limits = {
  folders: { most: 5000, says: 'there are more than 5000 folders' },
  names: { most: 200_000, says: 'there are more than 200000 files and folders' },
  candidates: { most: 500, says: 'there are more than 500 models' },
  milliseconds: { most: 10_000, says: 'it took longer than 10 s' },
} as const;
/** Of a folder, in the order in which the system has them. */
const mostNamesInFolder = 20_000;

/** Breadth first, so that what lies near is found even where there is too much. */
export async function candidateFolders(starts: readonly string[], roots: SearchRoots): Promise<CandidateFolders> {
  const found: CandidateFolders & { cut: string | null } = { folders: [], unreadable: [], cut: null };
  const seen = new Set<string>();
  const count = { folders: 0, names: 0, candidates: 0, milliseconds: 0 };
  const began = performance.now();
  const isEnough = () => {
    count.milliseconds = performance.now() - began;
    count.candidates = found.folders.length;
    const over = Object.keys(limits).find(
      (of) => count[of as keyof typeof limits] >= limits[of as keyof typeof limits].most,
    );
    if (over)
      found.cut = `Not all folders were looked through for models: ${limits[over as keyof typeof limits].says}.`;
    return over !== undefined;
  };

  let level = [...starts];
  for (let depth = 0; depth <= mostLevels && level.length > 0; depth++) {
    const below: string[] = [];
    for (const folder of level) {
      if (isEnough()) return found;
      count.folders++;
      const real = resolved(folder, roots);
      if (real === null || seen.has(real)) continue;
      seen.add(real);
      if (basename(real).startsWith('models--')) {
        found.folders.push(real);
        continue;
      }
      const entries = await entriesOf(real);
      count.names += entries.length;
      if (looksLikeModel(entries)) found.folders.push(real);
      for (const entry of entries.filter(isWorthwhile)) below.push(join(real, entry.name));
      for (const { name } of entries.filter(isGarbled))
        if (!(await isThere(join(real, name))))
          found.unreadable.push({
            folder: join(real, name),
            message: 'The name of this folder is no UTF-8; rename it.',
          });
    }
    level = below;
  }
  return found;
}

const looksLikeModel = (entries: readonly Dirent[]) =>
  entries.some(({ name }) => name === 'config.json') && entries.some(({ name }) => name.endsWith('.safetensors'));

const isWorthwhile = (entry: Dirent) =>
  (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.') && entry.name !== 'node_modules';

/** Bytes that are no text come as this character. */
const isGarbled = (entry: Dirent) => entry.isDirectory() && entry.name.includes('\ufffd');

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

function resolved(folder: string, roots: SearchRoots): string | null {
  try {
    return roots.resolve(folder);
  } catch {
    return null;
  }
}

/** None where it cannot be read. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries: Dirent[] = [];
  try {
    for await (const entry of await opendir(folder, { bufferSize: 1000 })) {
      entries.push(entry);
      if (entries.length >= mostNamesInFolder) break;
    }
  } catch {
    // What was read counts.
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}
