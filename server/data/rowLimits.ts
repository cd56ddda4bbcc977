// How many rows and values one file may have. They are counted before anything is made of them: a few megabytes can be a hundred
// million rows, each of which becomes an object of its own.
import { UserError } from '../errors';
import { refuseDeep } from '../files/limits';

export const mostRows = 2_000_000;
/** Numbers, texts, lists and objects of all rows. */
export const mostValues = 20_000_000;

const [quote, backslash, comma, colon, openBrace, openBracket, lineEnd] = [...'"\\,:{[\n'].map((c) => c.charCodeAt(0));

/** @throws UserError badData */
export function refuseManyRows(nRows: number, name: string): void {
  if (nRows > mostRows) throw tooMany(name, 'rows', mostRows);
}

/** @throws UserError badData */
export function refuseManyValues(nValues: number, name: string): void {
  if (nValues > mostValues) throw tooMany(name, 'values', mostValues);
}

/** Of JSON and JSON lines: what a parser would make of it, whether or not it is well formed. @throws UserError badData */
export function refuseManyInJson(bytes: Uint8Array, name: string): void {
  refuseDeep(name, bytes);
  let [nValues, nLines] = [0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) at = endOfText(bytes, at);
    else if (byte === comma || byte === colon || byte === openBrace || byte === openBracket) nValues++;
    else if (byte === lineEnd && isFilled(bytes[at - 1])) nLines++;
  }
  refuseManyValues(nValues, name);
  refuseManyRows(nLines, name);
}

/** An array that is set out over many lines has as many values. */
const isFilled = (before: number | undefined) => before === closeBrace || before === closeBracket;
const [closeBrace, closeBracket] = ['}', ']'].map((c) => c.charCodeAt(0));

/** The place of the quote that ends a text; the line's end where none does. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === backslash) at++;
    else if (bytes[at] === quote || bytes[at] === lineEnd) return at;
  }
  return bytes.length;
}

/** Of CSV: commas and lines in texts count, too; prose has one in some fifty characters. @throws UserError badData */
export function refuseManyInCsv(text: string, name: string): void {
  let [nCells, nRows] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === comma) nCells++;
    else if (unit === lineEnd) nRows++;
  }
  refuseManyValues(nCells + nRows, name);
}

const tooMany = (name: string, what: string, most: number) =>
  new UserError('badData', `${name} has more than ${most.toLocaleString('en-US')} ${what}; give a part of it.`);
