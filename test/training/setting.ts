// A pruned model that is trained as the reference runs of PEFT were: the same blocks, adapter, rows and steps.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { writeWithoutBlocks } from '../../server/checkpoint/surgery';
import { readTokenSequences } from '../../server/data/tokenSequences';
import { type AdaptedModule, adaptedModules, moduleKey } from '../../server/model/adapter';
import type { ModelConfig } from '../../server/model/config';
import { ofBlocks } from '../../server/shared/dropSets';
import type { AdapterOptions } from '../../server/recipes/heal/adapterOptions';
import type { OptimizerOptions } from '../../server/recipes/heal/trainingOptions';
import { openTokenizer } from '../../server/tokenizer/tokenizer';
import { openDevice } from '../../server/runtime/device';
import type { Matrices } from '../../server/training/adapterState';
import type { Model } from '../../server/execution/model';
import { planExecution } from '../../server/execution/memoryPlan';
import { residentStore, streamingStore } from '../../server/execution/weightStore';
import { dataFolder, modelFolder } from '../fixtures';

export interface Reference {
  readonly settings: {
    readonly model: string;
    readonly dropped_blocks: number[];
    readonly rows: number;
    readonly length: number;
    readonly r: number;
    readonly alpha: number;
    readonly targets: string[];
    readonly lr: number;
    readonly accumulate: number;
    readonly schedule: 'constant' | { cosine_warmup_steps: number; total: number };
    readonly held_out_micro_batch: number;
  };
  readonly held_out_before: number;
  readonly held_out_after: number;
  readonly steps: { lr: number; loss: number; grad_norm: number }[];
  readonly tensors: Record<string, { norm: number; first: number[] }>;
}

export const readReference = (name: string): Reference =>
  JSON.parse(readFileSync(join(dataFolder, 'reference', `${name}.json`), 'utf8')) as Reference;

export const noSpecialAdapter = {
  blocks: 'all',
  rankPattern: {},
  alphaPattern: {},
  rsLora: false,
  dropout: 0,
} as const satisfies Partial<AdapterOptions>;

export const optimizerOf = ({ settings: { lr, schedule } }: Reference): OptimizerOptions => ({
  learningRate: lr,
  schedule: schedule === 'constant' ? 'constant' : 'cosine',
  warmupSteps: schedule === 'constant' ? 0 : schedule.cosine_warmup_steps,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
});

export interface Setting {
  readonly model: Model;
  readonly modules: AdaptedModule[];
  readonly initial: Map<string, Matrices>;
  /** Rows of one micro-batch. */
  rows(microBatch: number): Int32Array[];
  close(): Promise<void>;
}

/** The reference's pruned model, open, with the adapter that it began with. */
export async function openSetting(reference: Reference, memory: 'resident' | 'streaming'): Promise<Setting> {
  const { settings } = reference;
  const whole = await openCheckpoint(modelFolder(modelName(settings.model)));
  const scratch = await mkdtemp(join(tmpdir(), 'espalier-training-'));
  const drop = ofBlocks(settings.dropped_blocks);
  const { folder } = await writeWithoutBlocks(whole, {
    drop,
    out: join(scratch, 'pruned'),
    dtype: null,
    provenance: {},
  });
  await whole.close();
  const checkpoint = await openCheckpoint(folder);
  const { config } = checkpoint;
  const device = await openDevice({ provider: 'cpu', threads: 2 });
  const store = memory === 'resident' ? residentStore(checkpoint, device) : streamingStore(checkpoint, device);
  const { rows, length } = settings;
  const plan = planExecution(config, {
    nSequences: rows,
    tokensPerSequence: length,
    keepStates: true,
    memory,
    limitBytes: 8e9,
  });
  const sequences = await sequencesOf(
    modelName(settings.model),
    (settings.held_out_micro_batch + 1) * rows,
    length,
    config,
  );
  const options = { ...noSpecialAdapter, rank: settings.r, alpha: settings.alpha, targets: settings.targets };
  const modules = adaptedModules(config, options, null);
  return {
    model: { checkpoint, config, device, store, plan },
    modules,
    initial: new Map(modules.map((module, t) => [moduleKey(module), { a: formula(module, t), b: zeros(module) }])),
    rows: (m) => sequences.slice(m * rows, (m + 1) * rows),
    async close() {
      store[Symbol.dispose]();
      await device.close();
      await checkpoint.close();
      await rm(scratch, { recursive: true });
    },
  };
}

const known = new Map<string, Promise<Int32Array[]>>();

/** The sequences that a run is about: a whole book in tokens, which takes seconds, so each model's is made once. */
function sequencesOf(model: string, nSequences: number, tokens: number, config: ModelConfig): Promise<Int32Array[]> {
  const key = JSON.stringify([model, nSequences, tokens]);
  const read = async () => {
    const files = [join(dataFolder, 'data/wikitext-2-raw/wiki.test.raw')];
    const common = {
      kind: 'text',
      files,
      field: null,
      start: 0,
      bos: 'none',
      sampling: 'consecutive',
      seed: 0,
    } as const;
    const tokenizer = await openTokenizer(modelFolder(model));
    return (await readTokenSequences({ ...common, sequences: nSequences, tokens }, tokenizer, config)).sequences;
  };
  if (!known.has(key)) known.set(key, read());
  return known.get(key)!;
}

/** A as make_lora_reference.py fills it, exact in float32. */
function formula({ rank, inFeatures }: AdaptedModule, t: number): Float32Array {
  return Float32Array.from({ length: rank * inFeatures }, (_, at) => {
    const [i, j] = [Math.floor(at / inFeatures), at % inFeatures];
    return (((7919 * i + 104729 * j + 31 * i * j + 1299709 * t + 12345) % 65536) / 65536 - 0.5) / 16;
  });
}

/** As the fixtures call it. */
export const modelName = (name: string): string => (name === 'smollm2' ? 'smollm2-135m' : name);

const zeros = ({ outFeatures, rank }: AdaptedModule) => new Float32Array(outFeatures * rank);
