// What stands in a folder in place of a file that did not come: told from its first bytes. "Damaged" would send people to
// the wrong place: the file is whole, but it is another one.
import { UserError } from '../errors';

/** So many first bytes tell. */
export const telltaleBytes = 512;

interface Row {
  /** What the first bytes begin with, one character a byte. */
  readonly begins: RegExp | string;
  /** Ends a sentence that begins with the file's path. */
  readonly says: (text: string) => string;
}

const again = 'download the model again';

/** What stands in place of any file. */
const placeholders: readonly Row[] = [
  {
    begins: /^version https:\/\/(git-lfs\.github\.com|hawser\.github\.com)\/spec\//,
    says: (text) => {
      const size = /^size (\d{1,15})$/m.exec(text)?.[1];
      return `is a pointer of Git LFS${size ? ` to a file of ${size} bytes` : ''}, not that file; run \`git lfs pull\` in its folder, or ${again}`;
    },
  },
  {
    begins: /^\s*(<!doctype html|<(html|head|body|title)\b)/i,
    says: () => `is an HTML page, as servers answer when they refuse a file; ${again}, with access to it`,
  },
  {
    begins: /^\s*<\?xml|^\s*<Error>/,
    says: () => `is an XML message, as servers answer when they refuse a file; ${again}, with access to it`,
  },
  {
    begins:
      /^(Entry not found|Invalid (username|credentials)|Access to model|Repository not found|Not Found|Unauthorized)/i,
    says: (text) => `is the message of a server, ${firstLine(text)}; ${again}, with access to it`,
  },
  {
    begins: /^\s*\{\s*"(error|errors|message|detail|statusCode)"\s*:/,
    says: (text) => `is the message of a server, ${firstLine(text)}; ${again}, with access to it`,
  },
];

const archive =
  (name: string): Row['says'] =>
  () =>
    `is ${name}, not a safetensors file`;

/** What stands in place of a file of numbers. */
const otherFormats: readonly Row[] = [
  { begins: 'PK\x03\x04', says: archive('a zip archive or a pickle of PyTorch (save the model with safetensors)') },
  { begins: '\x80', says: archive('a Python pickle (save the model with safetensors)') },
  { begins: 'GGUF', says: archive('a GGUF file (take the model in the format of transformers)') },
  { begins: '\x1f\x8b', says: archive('compressed by gzip (unpack it)') },
  { begins: '\x28\xb5\x2f\xfd', says: archive('compressed by zstd (unpack it)') },
  { begins: '\x89HDF', says: archive('an HDF5 file (take the model in the format of transformers)') },
  { begins: '\0'.repeat(16), says: () => `begins with nothing but zeros; the download was interrupted, so ${again}` },
  {
    begins: /^[\s -~]{8}/,
    says: (text) => `is text that begins with ${firstLine(text)}, not a safetensors file; ${again}`,
  },
];

/** What a file is, where its first bytes are not those of JSON or safetensors; null where nothing is known against it. */
function foreignContent(head: Uint8Array, format: 'json' | 'safetensors'): string | null {
  const text = String.fromCharCode(...head.subarray(0, telltaleBytes));
  // Behind the length of its header a safetensors file has a {, and the length may look like another format's first bytes.
  const isSafetensors = format === 'safetensors' && text[8] === '{';
  const rows = format === 'json' || isSafetensors ? placeholders : [...placeholders, ...otherFormats];
  const fits = ({ begins }: Row) => (typeof begins === 'string' ? text.startsWith(begins) : begins.test(text));
  return rows.find(fits)?.says(text) ?? null;
}

/**
 * @param head the first bytes of the file, `telltaleBytes` of them if it has so many
 * @throws UserError `damagedCheckpoint` where something else stands in place of the file.
 */
export function refuseForeignContent(path: string, head: Uint8Array | string, format: 'json' | 'safetensors'): void {
  const bytes = typeof head === 'string' ? new TextEncoder().encode(head.slice(0, telltaleBytes)) : head;
  const found = foreignContent(bytes, format);
  if (found !== null) throw new UserError('damagedCheckpoint', `${path} ${found}.`);
}

const firstLine = (text: string) =>
  JSON.stringify(
    text
      .trim()
      .split(/[\r\n]/, 1)[0]!
      .slice(0, 60),
  );
