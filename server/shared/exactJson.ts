// JSON as Python reads it, where JavaScript's numbers and objects are others: 1.0 is not 1, an integer may have any number
// of digits, and keys such as "10" keep their place. Templates write such values, so they must arrive as they were.

/** A number that JavaScript would write otherwise: { [numberMark]: its digits }. */
export const numberMark = '\0number';
/** Stands before a key that JavaScript would put first. */
export const keyMark = '\0key';

/**
 * As JSON.parse, with what JavaScript would change under marks, which `exactNumber` and `writeExactJson` know.
 * @throws SyntaxError
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(maybeOther.test(text) ? text.replace(literals, marked) : text);
}

// Fractions, exponents, long digits, keys of digits. It may find too much, for example in a text.
const maybeOther = /\d[.eE]|\d{16}|"\d+"\s*:/;

const literals = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function marked(literal: string, colon?: string): string {
  if (literal.startsWith('"'))
    return colon !== undefined && /^"(0|[1-9]\d*)"/.test(literal) ? `"\\u0000key${literal.slice(1)}` : literal;
  const isFraction = /[.eE]/.test(literal);
  const written = String(Number(literal));
  const isSame = isFraction ? /[.e]/.test(written) : Number.isSafeInteger(Number(literal));
  return isSame ? literal : `{"\\u0000number":"${literal}"}`;
}

/** The value of a number, marked or not; null: it is none. */
export function exactNumber(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return null;
  const digits = new Map(Object.entries(value)).get(numberMark);
  return typeof digits === 'string' ? Number(digits) : null;
}

/** The JSON that values with their marks were parsed from, laid out anew. */
export const exactJsonText = (value: unknown, space?: number): string =>
  JSON.stringify(value, null, space).replace(markedNumber, '$1').replace(markedKey, '"');

// In a text the quotes would be escaped, and no text stands before a colon.
const markedNumber = /\{\s*"\\u0000number":\s*"([^"]*)"\s*\}/g;
const markedKey = /"\\u0000key(?=\d+":)/g;

/** Values with their marks as JSON, for whoever knows the marks. Big integers become marked numbers. */
export const writeExactJson = (value: unknown): string =>
  JSON.stringify(value, (_, it: unknown) => (typeof it === 'bigint' ? { [numberMark]: String(it) } : it));
