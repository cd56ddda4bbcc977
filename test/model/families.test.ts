// Every family against what transformers computes (test/fixtures/families, made by make_families.py): hidden states,
// logits, losses with and without each block; for both spellings of config.json, weights resident and streamed.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../server/checkpoint/checkpoint';
import { logitsSlice } from '../../server/model/head';
import { pathWithout } from '../../server/model/path';
import { ofBlocks } from '../../server/shared/dropSets';
import { embeddingName, finalNormName, headName } from '../../server/model/weights';
import { type Device, openDevice } from '../../server/runtime/device';
import { generate, generateWithoutCache } from '../../server/execution/decode';
import { forward } from '../../server/execution/forward';
import { openExecution } from '../../server/execution/execute';
import { type Batch, microBatches, type Model } from '../../server/execution/model';
import { buildTrie } from '../../server/execution/variantTrie';
import { type MemoryPlan, planExecution } from '../../server/execution/memoryPlan';
import { residentStore, streamingStore } from '../../server/execution/weightStore';
import { repoRoot } from '../fixtures';

const families = join(repoRoot, 'test/fixtures/families');

interface Expected {
  readonly input_ids: number[][]; // [B, T]
  readonly logits: number[][][]; // [B, T, V]
  readonly loss_nats: number;
  readonly hidden_last: number[][][]; // [N + 1, B, D]: h[k] of the last tokens
  readonly loss_without_block: number[];
}

const spellings = readdirSync(families).flatMap((family) =>
  ['config.json', 'config.old.json']
    .filter((file) => existsSync(join(families, family, file)))
    .map((file) => ({ family, file })),
);

describe.each(spellings)('$family by $file', ({ family, file }) => {
  const expected: Expected = JSON.parse(readFileSync(join(families, family, 'expected.json'), 'utf8'));
  const sequences = expected.input_ids.map((ids) => Int32Array.from(ids));
  const [B, T] = [sequences.length, sequences[0]!.length];
  let folder: string;
  let device: Device;
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'espalier-family-'));
    cpSync(join(families, family, 'model.safetensors'), join(folder, 'model.safetensors'));
    cpSync(join(families, family, file), join(folder, 'config.json'));
    device = await openDevice({ provider: 'cpu', threads: 1 });
    checkpoint = await openCheckpoint(folder);
  });
  afterAll(async () => {
    await checkpoint.close();
    await device.close();
    rmSync(folder, { recursive: true });
  });

  /** The model as a walk takes it; `changes` are to the plan. */
  async function withModel<Result>(changes: Partial<MemoryPlan>, body: (model: Model) => Promise<Result>) {
    const { config } = checkpoint;
    const request = {
      nSequences: B,
      tokensPerSequence: T,
      keepStates: false,
      memory: 'auto',
      limitBytes: 4e9,
    } as const;
    const plan = { ...planExecution(config, request), ...changes };
    const store = plan.mode === 'resident' ? residentStore(checkpoint, device) : streamingStore(checkpoint, device);
    try {
      return await body({ checkpoint, config, device, store, plan });
    } finally {
      store[Symbol.dispose]();
    }
  }

  it('has the hidden states of the last tokens', async () => {
    const states = await withModel({}, hiddenStates);
    expect(states).toHaveLength(expected.hidden_last.length);
    for (const [k, state] of states.entries()) {
      const D = state.length / (B * T);
      const last = sequences.flatMap((_, b) => [...state.subarray(((b + 1) * T - 1) * D, (b + 1) * T * D)]);
      expectClose(last, expected.hidden_last[k]!.flat());
    }
  });

  it('has the logits', async () => {
    const logits = await withModel({}, async (model) => logitsOf(model, (await hiddenStates(model)).at(-1)!));
    expectClose(logits, expected.logits.flat(2));
  });

  const plans: [string, Partial<MemoryPlan>][] = [
    ['resident', { mode: 'resident' }],
    ['streaming', { mode: 'streaming' }],
    ['one sequence at a time', { microBatchSequences: 1, groupSequences: 1 }],
    ['one sequence at a time in one group', { mode: 'streaming', microBatchSequences: 1, groupSequences: 2 }],
    ['the vocabulary in slices', { headSliceRows: 16 }],
    ['the vocabulary in slices, streaming', { mode: 'streaming', headSliceRows: 7, microBatchSequences: 1 }],
  ];
  it.each(plans)('has the losses: %s', async (_, plan) =>
    withModel(plan, async (model) => {
      expect(mean(await forward(model, sequences))).toBeCloseTo(expected.loss_nats, 5);
      for (const [k, loss] of expected.loss_without_block.entries()) {
        const path = pathWithout(model.config, ofBlocks([k]));
        expect(mean(await forward(model, sequences, { path })), `without block ${k}`).toBeCloseTo(loss, 5);
      }
    }),
  );

  it('has the same loss for a sequence whatever goes beside it', async () => {
    const many = [0, 1, 1, 0, 1].map((b) => sequences[b]!);
    const losses = (changes: Partial<MemoryPlan>) => withModel(changes, (model) => forward(model, many));
    const alone = await losses({ microBatchSequences: 1, groupSequences: 1 });
    for (const microBatchSequences of [2, 3, 4, 5]) {
      const together = await losses({
        mode: 'streaming',
        microBatchSequences,
        groupSequences: 2 * microBatchSequences,
      });
      expectClose(together, alone, 1e-6);
    }
  });

  it.each(['resident', 'streaming'] as const)('writes the same with and without a cache: %s', async (mode) => {
    await withModel({ mode, headSliceRows: 32 }, async (model) => {
      const options = { maxTokens: 12, endIds: [] };
      const prompt = expected.input_ids[0]!.slice(0, 7);
      const ids = await generate(model, prompt, options);
      expect(ids).toHaveLength(12);
      expect(ids).toEqual(await generateWithoutCache(model, prompt, options));
      const without = { ...options, path: pathWithout(model.config, ofBlocks([1])) };
      expect(await generate(model, prompt, without)).toEqual(await generateWithoutCache(model, prompt, without));
    });
  });

  /** h[0..N], each [B*T, D]. */
  async function hiddenStates(model: Model): Promise<Float32Array[]> {
    const found: Float32Array[] = [];
    using execution = await openExecution(model);
    await execution.run<Batch, void>(buildTrie([pathWithout(model.config)]), [microBatches(sequences, B)], {
      async states(states) {
        for (const state of states) found.push(await device.read(state));
      },
    });
    return found;
  }

  async function logitsOf({ config }: Model, state: Float32Array): Promise<Float32Array> {
    const { vocabularySize: V, width: D, tiedEmbeddings } = config;
    using scope = device.scope();
    const weight = (name: string) => checkpoint.readF32(name);
    const { logits } = await scope.run(await scope.program(logitsSlice, config, B * T, V), {
      hidden: await scope.upload(state, [B * T, D], 'result'),
      norm: await scope.upload(await weight(finalNormName), [D], 'weight'),
      head: await scope.upload(await weight(tiedEmbeddings ? embeddingName : headName), [V, D], 'weight'),
    });
    return scope.read(logits!);
  }
});

const mean = (values: Float64Array) => values.reduce((sum, v) => sum + v, 0) / values.length;

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, relative = 1e-4): void {
  expect(found.length).toBe(expected.length);
  const off = Array.from(expected, (v, i) => Math.abs(found[i]! - v) / Math.max(1, Math.abs(v)));
  expect(Math.max(...off)).toBeLessThan(relative);
}
