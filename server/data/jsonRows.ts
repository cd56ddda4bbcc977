// JSON with rows, in either form and under either name: an array, or a line of JSON for each row.
import { UserError } from '../errors';

export interface JsonRow {
  /** What a sentence calls it. */
  readonly where: string;
  readonly value: unknown;
}

type Parse = (text: string) => unknown;

/**
 * The rows of a text. An array as a whole is one of rows; anything else whose first line is JSON by itself is JSON lines.
 * `parse`: as JSON.parse.
 * @throws UserError badData that says where
 */
export function jsonRows(text: string, name: string, parse: Parse = JSON.parse): JsonRow[] {
  if (/^\s*\[/.test(text)) {
    const whole = parsedOr(text, parse);
    if (Array.isArray(whole)) return whole.map((value: unknown, i) => ({ where: `Entry ${i} of ${name}`, value }));
  }
  const lines = text.split('\n');
  const first = lines.find((line) => line.trim() !== '');
  if (first === undefined) {
    if (/\.json\b/i.test(name)) throw notJson(name);
    return [];
  }
  const isLines = parsedOr(first) !== undefined || lines.filter((line) => /^\s*\{.*\}\s*$/.test(line)).length > 1;
  if (!isLines && /\.json\b/i.test(name)) throw parsedOr(text) === undefined ? notJson(name) : noArray(name);
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return [];
    const where = `Line ${i + 1} of ${name}`;
    return [{ where, value: parseJson(line, where, parse) }];
  });
}

/** @throws UserError badData that says where */
export function parseJson(text: string, where: string, parse: Parse = JSON.parse): unknown {
  const value = parsedOr(text, parse);
  if (value === undefined) throw notJson(where);
  return value;
}

/** undefined: it is no JSON. */
export function parsedOr(text: string, parse: Parse = JSON.parse): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

const notJson = (where: string) => new UserError('badData', `${where} is not valid JSON; repair or remove it.`);

const noArray = (name: string) =>
  new UserError('badData', `${name} holds no array; give an array of texts or objects, or a line of JSON for each.`);
