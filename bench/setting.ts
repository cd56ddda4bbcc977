// What benchmarks share: a model that is ready, and taking turns.
import { join } from 'node:path';
import { keepsStates } from '../server/analysis/analyze';
import { forwardMethodNames } from '../server/shared/methods';
import { openCheckpoint } from '../server/checkpoint/checkpoint';
import { readTokenSequences } from '../server/data/tokenSequences';
import type { TokenSource } from '../server/protocol/recipes';
import { openDevice } from '../server/runtime/device';
import { openTokenizer } from '../server/tokenizer/tokenizer';
import { preload } from '../server/execution/forward';
import type { Model } from '../server/execution/model';
import { planExecution } from '../server/execution/memoryPlan';
import { residentStore } from '../server/execution/weightStore';

export interface Setting {
  readonly model: string;
  /** Folder with data/ and bench-peers/. */
  readonly data: string;
  readonly python: string;
  readonly sequences: number;
  readonly rounds: number;
  readonly threads: number;
  /** Another checkout, built, to measure beside this one. */
  readonly before: string | null;
}

export const tokensPerSequence = 512;

/** Runs `body` with the model resident on the CPU and the first sequences of WikiText-2's test text. */
export async function withBenchModel(
  setting: Setting,
  body: (model: Model, sequences: Int32Array[]) => Promise<void>,
): Promise<void> {
  const checkpoint = await openCheckpoint(setting.model);
  const device = await openDevice({ provider: 'cpu', threads: setting.threads });
  const tokenizer = await openTokenizer(setting.model);
  const source: TokenSource = {
    kind: 'text',
    files: [join(setting.data, 'data/wikitext-2-raw/wiki.test.raw')],
    field: null,
    sequences: setting.sequences,
    tokens: tokensPerSequence,
    start: 0,
    bos: 'none',
    sampling: 'consecutive',
    seed: 0,
  };
  const { sequences } = await readTokenSequences(source, tokenizer, checkpoint.config);
  const plan = planExecution(checkpoint.config, {
    nSequences: sequences.length,
    tokensPerSequence,
    keepStates: keepsStates(forwardMethodNames),
    memory: 'resident',
    limitBytes: Number.POSITIVE_INFINITY,
  });
  const store = residentStore(checkpoint, device);
  const model: Model = { checkpoint, config: checkpoint.config, device, store, plan };
  await preload(model);
  await body(model, sequences);
  store[Symbol.dispose]();
  await device.close();
  await checkpoint.close();
}

/** Runs the contestants in turns, once to warm up and then `rounds` times; the least milliseconds of each. */
export async function takeTurns<Name extends string>(
  rounds: number,
  contestants: Record<Name, () => Promise<unknown>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(contestants) as Name[];
  const best = Object.fromEntries(names.map((name) => [name, Number.POSITIVE_INFINITY])) as Record<Name, number>;
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const began = performance.now();
      await contestants[name]();
      if (round > 0) best[name] = Math.min(best[name], performance.now() - began);
    }
  }
  return best;
}
