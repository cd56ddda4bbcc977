// Small JSON files that are read and replaced as a whole. Each carries a checksum.
import { readFileSync } from 'node:fs';
import { sealed, unsealed } from '../checkpoint/sealed';
import { replaceText } from '../files/replaceText';
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

export const replaceFile = (path: string, content: object): void =>
  replaceText(path, `${sealed(JSON.stringify(content))}\n`);
