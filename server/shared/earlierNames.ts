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

const fieldsBefore: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(fields).map(([before, now]) => [now, before]),
);

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

/** A report for programs that read it: its fields under the names of now, and once more under those of before. */
export function withNamesOfBefore(value: object): object;
export function withNamesOfBefore(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNamesOfBefore);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      const made = withNamesOfBefore(inner as object);
      const before = Object.hasOwn(fieldsBefore, key) ? fieldsBefore[key]! : key;
      return Object.hasOwn(value, before)
        ? [[key, made]]
        : [
            [key, made],
            [before, made],
          ];
    }),
  );
}

/**
 * What was read from a file, with its fields under the names of now. A field that is there under both names stays under both
 * where they differ, and is taken once where they agree.
 */
export function withNamesOfNow(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNamesOfNow);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      const now = Object.hasOwn(fields, key) ? fields[key]! : key;
      if (now === key || !Object.hasOwn(value, now)) return [[now, withNamesOfNow(inner)]];
      return JSON.stringify(inner) === JSON.stringify(value[now]) ? [] : [[key, withNamesOfNow(inner)]];
    }),
  );
}
