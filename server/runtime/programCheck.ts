// A check for tests that the key of a program says all that its graph depends on: graphs under one key are built again and
// their printed text is compared with that of the first one.
import { print } from '../graph/print';
import { type GraphBuilder, openProgramKeys } from './programKey';

export type ProgramCheck = (key: string, build: GraphBuilder, args: readonly unknown[]) => void;

/**
 * Builds the graph when arguments come for the first time, and whenever the uses of a key are a power of two: building at
 * each use would take longer than small graphs run. Throws an Error with the first line that differs.
 */
export function openProgramCheck(): ProgramCheck {
  const wholeKeys = openProgramKeys('whole');
  const seen = new Map<string, { readonly text: string; readonly whole: Set<string>; nUses: number }>();
  return (key, build, args) => {
    const whole = wholeKeys.of(build, args);
    const first = seen.get(key);
    if (!first) return void seen.set(key, { text: print(build(...args)), whole: new Set([whole]), nUses: 1 });
    first.nUses++;
    if (first.whole.has(whole) && (first.nUses & (first.nUses - 1)) !== 0) return;
    first.whole.add(whole);
    expectSame(key, first.text, print(build(...args)));
  };
}

function expectSame(key: string, first: string, again: string): void {
  if (first === again) return;
  const [before, after] = [first.split('\n'), again.split('\n')];
  const at = before.findIndex((line, i) => line !== after[i]);
  throw new Error(`two graphs under the key ${key}: "${before[at]}" and "${after[at]}"`);
}
