// The files of a study that are read again: JSON with a checksum. Those of earlier versions have none.
import { sealed, unsealed } from '../../checkpoint/sealed';
import { readText } from '../../files/text';

export type StudyFile<T> = { readonly kind: 'absent' | 'damaged' } | { readonly kind: 'read'; readonly value: T };

export async function readStudyFile<T extends object>(path: string): Promise<StudyFile<T>> {
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { kind: 'absent' };
    if (noFile.includes(code)) return { kind: 'damaged' };
    throw error;
  }
  const value = unsealed(text) as T | null;
  return value ? { kind: 'read', value } : { kind: 'damaged' };
}

/** Something else lies in its place. */
const noFile = ['EISDIR', 'ENOTDIR', 'ELOOP'];

/** How the work is computed is no part of what was asked for. */
export const asJson = (value: object): string =>
  `${JSON.stringify(value, (key, inner) => (key === 'compute' ? undefined : inner), 1)}\n`;

export const sealedJson = (content: object): string => `${sealed(asJson(content))}\n`;
