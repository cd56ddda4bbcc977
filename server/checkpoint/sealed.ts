// JSON that says itself whether it is what was written: its last field is a checksum of all that stands before it. Text of
// earlier versions has none, and is taken as it is.
import { createHash } from 'node:crypto';
import { readText } from '../files/text';
import { namedAsNow } from '../shared/earlierNames';
import { isRecord } from '../shared/records';
import { cannotRead, isMissing, isNoFile } from '../shared/systemErrors';

/** @param json an object with at least one field, in one line or in several */
export function sealed(json: string): string {
  const fields = json.trimEnd().slice(0, -1).trimEnd();
  const [separator, colon, end] = fields.includes('\n') ? [',\n ', ': ', '\n}'] : [',', ':', '}'];
  return `${fields}${separator}"checksum"${colon}"${checksumOf(fields)}"${end}`;
}

/** The object without its checksum, with fields under their names of now; null: the text is not what was written. */
export function unsealed(text: string): object | null {
  const tailAt = Math.max(0, text.length - longestSeal);
  const seal = sealForm.exec(text.slice(tailAt));
  if (!seal) return withoutSeal(text);
  const fields = text.slice(0, tailAt + seal.index);
  return checksumOf(fields) === seal[1] ? parsedObject(`${fields}}`) : null;
}

export type SealedFile<T> =
  | { readonly kind: 'absent' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'read'; readonly text: string; readonly value: T };

/** A file of such text in a folder of ours. @throws UserError `cannotRead` where the system does not give the file */
export async function readSealed<T extends object>(path: string): Promise<SealedFile<T>> {
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (isMissing(error)) return { kind: 'absent' };
    if (isNoFile(error)) return { kind: 'damaged' };
    throw cannotRead(error, path);
  }
  const value = unsealed(text) as T | null;
  return value ? { kind: 'read', text, value } : { kind: 'damaged' };
}

/** Of bytes that lie in a file of their own. */
export const checksumOf = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex').slice(0, 16);

const sealForm = /,\s*"checksum":\s*"([0-9a-f]{16})"\s*\}\s*$/;
const longestSeal = 64;

/** A field of that name in another place or form is what is left of a seal. */
function withoutSeal(text: string): object | null {
  const value = parsedObject(text);
  return value && 'checksum' in value ? null : value;
}

function parsedObject(text: string): object | null {
  // An error of the parser takes longer than a line: a damaged log may have a million of them.
  if (!/^\s*\{\s*["}]/.test(text)) return null;
  try {
    const value = namedAsNow(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
