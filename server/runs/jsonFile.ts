// Small JSON files that are read and replaced as a whole. Each carries a checksum.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { sealed, unsealed } from '../checkpoint/sealed';

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
    const { code = String(error) } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { kind: 'absent' };
    return noFile.includes(code) ? { kind: 'damaged' } : { kind: 'unreadable', code };
  }
  const value = unsealed(text);
  return value ? { kind: 'read', value } : { kind: 'damaged' };
}

/** Something else lies in its place, such as a folder. */
const noFile = ['EISDIR', 'ENOTDIR', 'ELOOP'];

/** Written beside, synced, renamed: the file is the old one or the new one, never half of it. */
export const replaceFile = (path: string, content: object): void =>
  replaceText(path, `${sealed(JSON.stringify(content))}\n`);

export function replaceText(path: string, text: string): void {
  const stage = `${path}.partial`;
  try {
    writeFileSync(stage, text, { mode: 0o600 });
    const file = openSync(stage, 'r+');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(stage, path);
  } catch (error) {
    rmSync(stage, { force: true });
    throw error;
  }
}
