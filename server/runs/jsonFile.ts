// Small JSON files that are read and replaced as a whole. Each carries a checksum.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { sealed, unsealed } from '../checkpoint/sealed';
import { forgetStage, removeAbandonedSync, stageName } from '../files/stages';
import { syncFolderSync } from '../files/sync';
import { isMissing, isNoFile } from '../shared/systemErrors';

/** `unreadable`: the system says why not, and may say otherwise later. */
export type ReadJson =
  | { readonly kind: 'read'; readonly value: object }
  | { readonly kind: 'absent' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'unreadable'; readonly code: string };

export function readJson(path: string): ReadJson {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return { kind: 'absent' };
    if (isNoFile(error)) return { kind: 'damaged' };
    const { code = String(error) } = error as NodeJS.ErrnoException;
    return { kind: 'unreadable', code };
  }
  const value = unsealed(text);
  return value ? { kind: 'read', value } : { kind: 'damaged' };
}

/** Written beside, synced, renamed: the file is the old one or the new one, never half of it. */
export const replaceFile = (path: string, content: object): void =>
  replaceText(path, `${sealed(JSON.stringify(content))}\n`);

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
