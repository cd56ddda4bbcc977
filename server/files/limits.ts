// How much is read as a whole of a file that others wrote: bytes by its name, and how deep its JSON may be nested. Real files
// have a tenth of it at most; a file of numbers is read by position and has no row.
import { UserError } from '../errors';
import { size } from '../shared/numbers';

interface Row {
  readonly names: RegExp;
  readonly mostBytes: number;
}

const megabyte = 1e6;

/** The first row that fits. */
const rows: readonly Row[] = [
  {
    names: /^tokenizer\.json$|^tekken\.json$|^vocab\.json$|^merges\.txt$|\.(model|tiktoken)(\.v\d\w*)?$/,
    mostBytes: 128 * megabyte,
  },
  { names: /\.index\.json$|^tokenizer_config\.json$/, mostBytes: 16 * megabyte },
  { names: /\.json$|\.jinja$|^main$/, mostBytes: 4 * megabyte },
  { names: /(?:)/, mostBytes: 128 * megabyte },
];

const deepest = 100;

/** @throws UserError `overLimit` */
export function refuseLarge(path: string, name: string, sizeBytes: number): void {
  const { mostBytes } = rows.find(({ names }) => names.test(name))!;
  if (sizeBytes <= mostBytes) return;
  throw new UserError(
    'overLimit',
    `${path} has ${size(sizeBytes)}, but of such a file no more than ${size(mostBytes)} are read; get it again from where it is published.`,
  );
}

/** Before it is parsed: whatever walks it later would go as deep. @throws UserError `overLimit` */
export function refuseDeep(path: string, json: Uint8Array): void {
  if (!isDeep(json)) return;
  throw new UserError(
    'overLimit',
    `${path} is nested more than ${deepest} levels deep, which no file of its kind is; get it again from where it is published.`,
  );
}

const [quote, backslash, openBrace, closeBrace, openBracket, closeBracket] = [...'"\\{}[]'].map((c) => c.charCodeAt(0));

function isDeep(json: Uint8Array): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (isText) {
      if (byte === backslash) at++;
      else if (byte === quote) isText = false;
    } else if (byte === quote) isText = true;
    else if (byte === openBrace || byte === openBracket) {
      if (++depth > deepest) return true;
    } else if (byte === closeBrace || byte === closeBracket) depth--;
  }
  return false;
}
