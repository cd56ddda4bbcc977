// The key of a compiled program: the name of the function that builds its graph, and its arguments as canonical JSON. Two
// functions never share a name here, so that equal keys mean equal graphs.
import { dependsOn, type Graph } from '../graph/value';

// biome-ignore lint/suspicious/noExplicitAny: any function that gives a graph; what it takes is checked where it is called
export type GraphBuilder = (...args: any[]) => Graph;

export interface ProgramKeys {
  /** Throws an Error for a function without a name or with another's, and for an argument that has no JSON. */
  of(build: GraphBuilder, args: readonly unknown[]): string;
}

/**
 * Objects are taken to stay as they are: the text of one is made once.
 * @param of `whole`: also what graphs do not depend on, so that a key stands for all of the arguments
 */
export function openProgramKeys(of: 'dependence' | 'whole' = 'dependence'): ProgramKeys {
  const functions = new Map<string, unknown>();
  const texts = new WeakMap<object, string>();
  // A long text, such as a model's config, stands in keys as its number.
  const numbers = new Map<string, string>();

  const nameOf = (named: { readonly name: string }) => {
    const { name } = named;
    const known = functions.get(name) ?? named;
    if (name === '') throw new Error('a function without a name cannot be part of the key of a program');
    if (known !== named) throw new Error(`two functions are called ${name}: keys of programs would be confused`);
    functions.set(name, known);
    return name;
  };
  const shortened = (text: string) => {
    if (text.length <= longestText) return text;
    const number = numbers.get(text) ?? `#${numbers.size}`;
    numbers.set(text, number);
    return number;
  };
  const textOf = (arg: unknown): string => {
    if (typeof arg === 'function') return nameOf(arg);
    if (typeof arg !== 'object' || arg === null) return JSON.stringify(arg) ?? 'undefined';
    const on = of === 'dependence' && dependsOn in arg ? arg[dependsOn] : null;
    const known = texts.get(arg) ?? shortened(on === null ? objectText(arg, textOf) : textOf(on));
    texts.set(arg, known);
    return known;
  };
  return { of: (build, args) => `${nameOf(build)}(${args.map(textOf).join(', ')})` };
}

const longestText = 200;

/** Keys in alphabetical order; what is undefined is left out. */
function objectText(arg: object, textOf: (part: unknown) => string): string {
  if (Array.isArray(arg)) return `[${arg.map(textOf)}]`;
  if (arg instanceof Map) return `{${[...arg].map(([key, value]) => `${textOf(key)}:${textOf(value)}`)}}`;
  if (ArrayBuffer.isView(arg) || arg instanceof Set) throw new Error('numbers and sets cannot be part of a key');
  const entries = Object.entries(arg).filter(([, value]) => value !== undefined);
  return `{${entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}:${textOf(value)}`)}}`;
}
