// Many inputs for each reader of what others write, with an oracle of cost: each becomes a value or a sentence, within a time and
// a memory. The watch is a thread of its own, since an input that never ends leaves no other way to say which it was.
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { isUserError } from '../../server/errors';
import { type Cost, costOf } from './cost';
import { randomOf } from './mutate';
import type { Target } from './targets';

export const limits = { seconds: 2, bytes: 500e6 };

export interface Finding {
  readonly target: string;
  readonly seed: number;
  /** What it was, for people. */
  readonly what: string;
}

export interface InputCost extends Cost {
  readonly target: string;
  readonly seed: number;
  readonly inputBytes: number;
}

export interface Summary {
  readonly nInputs: number;
  /** Inputs that became a value, and such as became a sentence. */
  readonly nAccepted: number;
  readonly nRefused: number;
  readonly slowest: InputCost;
  readonly largest: InputCost;
  readonly findings: readonly Finding[];
}

/** @param nInputs so many seeds from `firstSeed` on */
export async function campaign(target: Target, nInputs: number, firstSeed = 1): Promise<Summary> {
  const watch = startWatch(target.name);
  const findings: Finding[] = [];
  const none: InputCost = { target: target.name, seed: 0, inputBytes: 0, seconds: 0, grownBytes: 0 };
  let [nAccepted, nRefused, slowest, largest] = [0, 0, none, none];
  try {
    // What a reader loads once is no cost of an input: templates have an interpreter.
    watch.begin(firstSeed);
    await outcomeOf(target, target.input(randomOf(firstSeed)));
    for (let seed = firstSeed; seed < firstSeed + nInputs; seed++) {
      watch.begin(seed);
      const input = target.input(randomOf(seed));
      const { outcome, cost } = await measured(target, seed, input);
      if (outcome === 'accepted') nAccepted++;
      else if (outcome === 'refused') nRefused++;
      else findings.push({ target: target.name, seed, what: outcome });
      if (cost.seconds > slowest.seconds) slowest = cost;
      if (cost.grownBytes > largest.grownBytes) largest = cost;
      if (cost.seconds > limits.seconds) findings.push({ target: target.name, seed, what: `${cost.seconds} s` });
      if (cost.grownBytes > limits.bytes + input.length)
        findings.push({ target: target.name, seed, what: `${cost.grownBytes} bytes for ${input.length}` });
    }
  } finally {
    watch.end();
  }
  return { nInputs, nAccepted, nRefused, slowest, largest, findings };
}

/** What a person is shown; names in it may be long, lists of them are cut. */
const longestSentence = 2_000;

async function measured(target: Target, seed: number, input: Uint8Array) {
  const { result: outcome, seconds, grownBytes } = await costOf(() => outcomeOf(target, input));
  const cost: InputCost = { target: target.name, seed, inputBytes: input.length, seconds, grownBytes };
  return { outcome, cost };
}

/** `accepted`, `refused`, or what was thrown that is no sentence. */
async function outcomeOf(target: Target, input: Uint8Array): Promise<string> {
  try {
    await target.read(input);
    return 'accepted';
  } catch (error) {
    if (isUserError(error))
      return error.message.length <= longestSentence ? 'refused' : `a sentence of ${error.message.length}`;
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    return `${name}: ${message.slice(0, 200)} ${stack?.split('\n').slice(1, 4).join('') ?? ''}`;
  }
}

const hangsAfterMs = 240_000;

/** Ends the process, having said where it was, when an input takes so long. */
function startWatch(name: string) {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const note = join(tmpdir(), `fuzz-hangs-${process.pid}.txt`);
  const code = `
    const { workerData: { shared, note, name, limitMs } } = require('node:worker_threads');
    let [seen, since] = [-1, Date.now()];
    setInterval(() => {
      if (shared[0] !== seen) [seen, since] = [shared[0], Date.now()];
      if (Date.now() - since < limitMs) return;
      require('node:fs').writeFileSync(note, name + ' does not end for seed ' + seen);
      require('node:fs').writeSync(2, '\\n' + name + ' does not end for seed ' + seen + '\\n');
      process.kill(process.pid, 'SIGKILL');
    }, 500);`;
  const worker = new Worker(code, { eval: true, workerData: { shared, note, name, limitMs: hangsAfterMs } });
  worker.unref();
  return {
    begin: (seed: number) => void Atomics.store(shared, 0, seed),
    end: () => void worker.terminate(),
  };
}

/** For whoever looks at one again. */
export const keepInput = (target: Target, seed: number, file: string): void =>
  writeFileSync(file, target.input(randomOf(seed)));

export const inWords = ({ nInputs, nAccepted, nRefused, slowest, largest }: Summary): string =>
  `${nInputs} inputs, ${nAccepted} read, ${nRefused} refused; slowest ${slowest.seconds.toFixed(3)} s (seed ${slowest.seed}, ` +
  `${slowest.inputBytes} bytes), largest ${(largest.grownBytes / 1e6).toFixed(0)} MB (seed ${largest.seed})`;
