// The first thing in which two settings differ, in words for a sentence.

export interface Difference {
  /** Such as `optimizer.learningRate`. */
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** null where they are equal. Values are compared as JSON, lists as a whole. */
export function firstDifference(before: object, after: object): Difference | null {
  const [then, now] = [flat(before), flat(after)];
  const name = [...new Set([...then.keys(), ...now.keys()])].find((key) => then.get(key) !== now.get(key));
  if (name === undefined) return null;
  return { name, before: then.get(name) ?? 'nothing', after: now.get(name) ?? 'nothing' };
}

/** `optimizer.learningRate` and so on, with their values as text. */
function flat(value: unknown, name = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Map([[name, JSON.stringify(value)]]);
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [...flat(inner, name === '' ? key : `${name}.${key}`)]),
  );
}
