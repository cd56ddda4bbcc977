// How the cost of the main jobs grows with what they are given: twice the tokens, blocks, width or variants, and each device, as
// ratios of durations. Models with random weights, since only their shapes matter.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeRandomCheckpoint } from '../server/checkpoint/randomCheckpoint';
import { openMeasuring } from '../server/analysis/measuring';
import { openCheckpoint } from '../server/checkpoint/checkpoint';
import { isUserError } from '../server/errors';
import { forward, preload } from '../server/execution/forward';
import { planExecution, sequenceOperations } from '../server/execution/memoryPlan';
import type { Model } from '../server/execution/model';
import { residentStore } from '../server/execution/weightStore';
import { pathWithout } from '../server/model/path';
import { readModelConfig } from '../server/model/readConfig';
import { openDevice } from '../server/runtime/device';
import { ofBlocks } from '../server/shared/dropSets';
import { table, withScratch } from './commandLine';
import { type Setting, takeTurns } from './setting';

interface Shape {
  readonly tokens: number;
  readonly nBlocks: number;
  readonly width: number;
  /** Measured beside the original, each without one of the first blocks. */
  readonly variants: number;
  readonly device: 'cpu' | 'webgpu';
}

const first: Shape = { tokens: 512, nBlocks: 6, width: 512, variants: 0, device: 'cpu' };
const small: Shape = { tokens: 32, nBlocks: 2, width: 128, variants: 0, device: 'cpu' };

/** Each row is compared with the one before; `expected` is by floating-point operations, where these decide. */
const series: Readonly<Record<string, readonly Shape[]>> = {
  tokens: [first, { ...first, tokens: 1024 }, { ...first, tokens: 2048 }],
  blocks: [first, { ...first, nBlocks: 12 }, { ...first, nBlocks: 24 }],
  width: [first, { ...first, width: 1024 }, { ...first, width: 2048 }],
  variants: [
    { ...first, variants: 1 },
    { ...first, variants: 2 },
    { ...first, variants: 4 },
  ],
  devices: [small, { ...small, device: 'webgpu' }],
};

export const benchGrowth = ({ rounds, threads }: Setting): Promise<void> =>
  withScratch(async (folder) => {
    const rows: string[][] = [];
    for (const [what, shapes] of Object.entries(series)) {
      const seconds: number[] = [];
      for (const [i, shape] of shapes.entries()) {
        const found = await secondsOf(shape, folder, { rounds, threads }).catch(unlessDeviceIsMissing);
        if (found === null) {
          rows.push([what, valueIn(what, shape), 'not there', '', '']);
          continue;
        }
        seconds.push(found);
        const ratio = i === 0 ? '' : (seconds[i]! / seconds[i - 1]!).toFixed(2);
        const operations = i === 0 ? '' : (operationsOf(shape) / operationsOf(shapes[i - 1]!)).toFixed(2);
        rows.push([what, valueIn(what, shape), `${seconds[i]!.toFixed(3)} s`, ratio, operations]);
      }
    }
    console.log(`growth: least of ${rounds}, each against the row before\n`);
    console.log(table(['what grows', 'value', 'duration', 'ratio', 'operations'], rows));
  });

/** Where the machine lacks it, the other rows are told. */
function unlessDeviceIsMissing(error: unknown): null {
  if (isUserError(error) && error.code === 'device') return null;
  throw error;
}

function valueIn(what: string, shape: Shape): string {
  const values: Record<string, number | string> = { ...shape, blocks: shape.nBlocks, devices: shape.device };
  return `${values[what]}`;
}

/** Of the products, floating-point; a variant costs what follows the block that it lacks. */
function operationsOf(shape: Shape): number {
  const { tokens, nBlocks, variants } = shape;
  const { block, head } = sequenceOperations(readModelConfig(configOf(shape)), tokens);
  const following = Array.from({ length: variants }, (_, i) => nBlocks - 1 - i);
  return (nBlocks + following.reduce((sum, n) => sum + n, 0)) * block + (1 + variants) * head;
}

const vocabulary = 4096;

const configOf = ({ width, nBlocks }: Shape) => ({
  model_type: 'llama',
  hidden_size: width,
  intermediate_size: 3 * width,
  num_hidden_layers: nBlocks,
  num_attention_heads: width / 64,
  num_key_value_heads: width / 64,
  vocab_size: vocabulary,
  tie_word_embeddings: true,
  max_position_embeddings: 4096,
});

/** The loss of the original, and of what lacks one of its first blocks. */
async function work(model: Model, sequences: readonly Int32Array[], variants: number): Promise<void> {
  using measuring = openMeasuring(model, sequences, cacheBytes);
  await forward(model, sequences, { observer: measuring.observer });
  await measuring.losses(Array.from({ length: variants }, (_, block) => pathWithout(model.config, ofBlocks([block]))));
}

const cacheBytes = 1e9;

async function secondsOf(
  shape: Shape,
  folder: string,
  { rounds, threads }: Pick<Setting, 'rounds' | 'threads'>,
): Promise<number> {
  const model = join(folder, `${shape.nBlocks}-${shape.width}`);
  const form = { configJson: configOf(shape), tokenizerFolder: null };
  if (!existsSync(model)) await writeRandomCheckpoint({ ...form, out: model, seed: 1, maxShardBytes: 4e9 });
  const checkpoint = await openCheckpoint(model);
  const device = await openDevice({ provider: shape.device, threads });
  const { config } = checkpoint;
  const sequences = [Int32Array.from({ length: shape.tokens }, (_, t) => (7 * t + t * t) % vocabulary)];
  const request = { nSequences: 1, tokensPerSequence: shape.tokens, keepStates: false, memory: 'resident' as const };
  const plan = planExecution(config, { ...request, limitBytes: Number.POSITIVE_INFINITY });
  const store = residentStore(checkpoint, device);
  try {
    const opened: Model = { checkpoint, config, device, store, plan };
    await preload(opened);
    const { job } = await takeTurns(rounds, { job: () => work(opened, sequences, shape.variants) });
    return job / 1000;
  } finally {
    store[Symbol.dispose]();
    await device.close();
    await checkpoint.close();
  }
}
