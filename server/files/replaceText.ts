// A small file of the user's own, replaced as a whole.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { forgetStage, removeAbandonedSync, stageName } from './stages';
import { syncFolderSync } from './sync';

/** Written beside, synced, renamed: the file is the old one or the new one, never half of it. For its owner alone to read. */
export function replaceText(path: string, text: string): void {
  const [folder, name] = [dirname(path), basename(path)];
  const ownName = stageName(name);
  const stage = join(folder, ownName);
  try {
    removeLeft(folder, name);
    writeFileSync(stage, text, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(stage, path);
    syncFolderSync(dirname(path));
  } catch (error) {
    try {
      rmSync(stage, { force: true });
    } catch {} // the next one removes it
    throw withPath(error, path);
  } finally {
    forgetStage(ownName);
  }
}

/** What cannot be removed now is left to the next one. */
function removeLeft(folder: string, name: string): void {
  try {
    removeAbandonedSync(folder, name);
  } catch {}
}

/** The system does not tell the path of what is open. */
export const withPath = (error: unknown, path: string): unknown => Object.assign(error as Error, { path });
