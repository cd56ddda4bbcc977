// What fields and options were called before, so that recipes, runs and reports of then still open and commands still work.
import { isRecord } from './records';

const fields: Readonly<Record<string, string>> = {
  windows: 'sequences',
  nWindows: 'nSequences',
  ofWindows: 'ofSequences',
  tokensPerWindow: 'tokensPerSequence',
  lossPerWindow: 'lossPerSequence',
  heldOutWindows: 'heldOutSequences',
  microBatchWindows: 'microBatchSequences',
  judgedAt: 'evaluatedAtStep',
};

/** Options of the command line: the earlier name -> that of now. */
export const earlierOptions: Readonly<Record<string, string>> = {
  '--windows': '--sequences',
  '--held-out-windows': '--held-out-sequences',
};

const anyField = new RegExp(`"(?:${Object.keys(fields).join('|')})"`);

/** JSON that this program has written. Most of it has no earlier name, and building it anew takes longer than parsing. */
export function namedAsNow(json: string): unknown {
  const value: unknown = JSON.parse(json);
  return anyField.test(json) ? withNamesOfNow(value) : value;
}

/** What was read from a file, with its fields under the names of now. A field that is there under both stays as it is. */
export function withNamesOfNow(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNamesOfNow);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const now = Object.hasOwn(fields, key) ? fields[key]! : key;
      return [Object.hasOwn(value, now) ? key : now, withNamesOfNow(inner)];
    }),
  );
}
