// Golden numbers on a Vulkan device in software: the tiny model here, SmolLM2 in the long tests. Of float32 they come from PyTorch,
// lm-evaluation-harness and llama2.c where these have computed the same, and from the CPU for all; halves are held against the
// CPU's float32. No weight may come back, and nothing may fall back to the CPU.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { writeWithoutBlocks } from '../../server/checkpoint/surgery';
import { input } from '../../server/graph/value';
import { linear } from '../../server/graph/ops/linear';
import type { ComputeOptions, WeightWidth } from '../../server/protocol/recipes';
import { openDevice } from '../../server/runtime/device';
import { ofBlocks } from '../../server/shared/dropSets';
import { fixtures, readGolden, storiesFolderWithBos } from '../evaluation/golden';
import { available, long, modelFolder, referenceFile } from '../fixtures';
import { onCpu } from '../recipes/runHere';
import { type JobSetting, jobs, type Numbers } from './jobs';

const minutes = 60_000;
const lossTolerance: Partial<Record<WeightWidth, number>> = { f32: 1e-4, f16: 2e-4 };
const scoreTolerance = 1e-3;

interface GoldenModel {
  readonly name: string;
  /** Where the numbers of others are. */
  readonly harness: string;
  readonly reference: string;
  readonly nSequences: number;
  readonly tokens: number;
  /** Of one hidden state of all tokens: all that comes back of an analysis is less. */
  readonly hiddenStateBytes: number;
  readonly prompt: string;
  /** What llama2.c writes; null: nobody else wrote it down. */
  readonly text: string | null;
}

const models: readonly GoldenModel[] = [
  {
    name: 'stories260k',
    harness: 'lm-eval-stories260k-bos.json',
    reference: referenceFile('stories260k', 'short'),
    ...{ nSequences: 8, tokens: 32, hiddenStateBytes: 8 * 32 * 64 * 4, prompt: '', text: 'Once upon a' },
  },
  ...(long
    ? [
        {
          name: 'smollm2-135m',
          harness: 'lm-eval-smollm2.json',
          reference: referenceFile('smollm2-135m', 'whole'),
          ...{ nSequences: 1, tokens: 128, hiddenStateBytes: 128 * 576 * 4, prompt: 'Gravity is', text: null },
        },
      ]
    : []),
];

/** Runs every job on a Vulkan driver in every width that it can hold. One driver a process: it is loaded once. */
export function describeGolden(driver: string, widths: readonly ('f32' | 'f16')[]): void {
  describe.skipIf(!available(driver))('what a device in software finds', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'golden-webgpu-'));
    const stories = storiesFolderWithBos();
    beforeAll(() => void (process.env.VK_ICD_FILENAMES = driver));
    afterAll(() => {
      stories.remove();
      rmSync(scratch, { recursive: true, force: true });
    });
    const created = vi.spyOn(ort.InferenceSession, 'create');
    afterAll(() => created.mockRestore());

    it('is refused where a graph could not run there whole', async () => {
      const device = await openDevice({ provider: 'webgpu', threads: 1 });
      try {
        const [x, w] = [input('x', [2, 3], 'float64'), input('w', [4, 3], 'float64')];
        const graph = { name: 'doubles', outputs: { y: linear(x, w) } };
        await expect(device.compile(graph)).rejects.toThrow(/^The webgpu device cannot run the graph doubles: /);
      } finally {
        await device.close();
      }
    });

    const rows = models.flatMap((model) => widths.map((width) => ({ ...model, width })));
    describe.each(rows.filter(({ name }) => available(modelFolder(name))))('$name in $width', (row) => {
      const whole = row.name === 'stories260k' ? stories.folder : modelFolder(row.name);
      let setting: Omit<JobSetting, 'compute'>;
      beforeAll(async () => {
        const model = row.width === 'f16' ? await inBfloat16(whole, join(scratch, row.name)) : whole;
        const ids = sequencesOf(row);
        setting = { model, ids, prompt: row.prompt, healedTokens: row.tokens, scratch };
      });
      /** @returns the numbers of a job, once it is known where they were computed */
      const on = async (name: string, device: 'cpu' | 'webgpu', weights: WeightWidth): Promise<Numbers> => {
        created.mockClear();
        const compute: ComputeOptions = { ...onCpu, device, weights };
        const { facts, numbers } = await jobs[name]!({ ...setting, compute });
        expect(facts).toMatchObject({ device, weights });
        const { readBytes } = facts.transfers!;
        expect(readBytes).toMatchObject({ weight: 0, table: 0 });
        if (name === 'analysis') expect(readBytes.result).toBeLessThan(row.hiddenStateBytes);
        const options = created.mock.calls.map((call) => call.at(-1));
        expect(options.length).toBeGreaterThan(0);
        const alone = { executionProviders: ['webgpu'], extra: { session: { disable_cpu_ep_fallback: '1' } } };
        if (device === 'webgpu') for (const each of options) expect(each).toMatchObject(alone);
        return numbers;
      };

      it.each(Object.keys(jobs))('%s', { timeout: 60 * minutes }, async (name) => {
        const found = await on(name, 'webgpu', row.width);
        const worst = compared(found, await on(name, 'cpu', 'f32'), row.width);
        console.log(`${row.name}, ${name} in ${row.width}: off by at most ${worst}`);
        if (row.width === 'f32') expectOthers(found, row);
      });
    });
  });
}

const sequencesOf = ({ reference, nSequences, tokens }: GoldenModel): number[][] =>
  (JSON.parse(readFileSync(reference, 'utf8')) as { ids: number[][] }).ids
    .slice(0, nSequences)
    .map((row) => row.slice(0, tokens));

/** The same model in BF16, whose numbers halves hold; itself where it is that. */
async function inBfloat16(folder: string, out: string): Promise<string> {
  const checkpoint = await openCheckpoint(folder);
  try {
    if ([...checkpoint.weights.values()].every(({ dtype }) => dtype === 'BF16')) return folder;
    await writeWithoutBlocks(checkpoint, { drop: ofBlocks([]), out, dtype: 'bf16', provenance: {} });
    return out;
  } finally {
    await checkpoint.close();
  }
}

/** @returns how far they are apart, in words */
function compared(found: Numbers, expected: Numbers, width: WeightWidth): string {
  const nats = largest(found.lossesNats.map((loss, i) => Math.abs(loss - expected.lossesNats[i]!)));
  expect(found.lossesNats).toHaveLength(expected.lossesNats.length);
  expect(nats).toBeLessThan(lossTolerance[width]!);
  expect(Object.keys(found.scores)).toEqual(Object.keys(expected.scores));
  const names = Object.keys(found.scores);
  const off = names.map((name) => {
    const share = apart(found.scores[name]!, expected.scores[name]!);
    expect(share, name).toBeLessThan(scoreTolerance);
    return share;
  });
  expect(found.text).toBe(expected.text);
  return `${nats.toExponential(1)} nats, scores ${largest(off).toExponential(1)} of themselves`;
}

/** The largest relative difference; infinite where one is missing. */
function apart(found: readonly number[], expected: readonly number[]): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  const off = found.map((x, i) => Math.abs(x - expected[i]!) / Math.abs(expected[i]!));
  return off.some(Number.isNaN) ? Number.POSITIVE_INFINITY : largest(off);
}

const largest = (numbers: readonly number[]) => Math.max(0, ...numbers);

/** Methods of which the reference keeps the numbers of the same sequences. */
const asInPyTorch = {
  blockInfluence: 'block_influence',
  angularDistance: 'angular_last_token',
  weightMagnitude: 'magnitude.l1',
  taylor: 'taylor.projections',
};

/** What PyTorch, the harness and llama2.c have computed of the same. */
function expectOthers(found: Numbers, { harness, reference, nSequences, text }: GoldenModel): void {
  const json = JSON.parse(readFileSync(reference, 'utf8'));
  const isWhole = json.ids.length === nSequences;
  if (found.scores.taylor && isWhole) {
    for (const [w, loss] of (json.dense.loss_per_window as number[]).entries())
      expect(Math.abs(found.lossesNats[w]! - loss)).toBeLessThan(lossTolerance.f32!);
    for (const [method, key] of Object.entries(asInPyTorch)) {
      const expected = key.split('.').reduce((value, part) => value[part], json) as number[] | number[][];
      expect(apart(found.scores[method]!, expected.flat()), method).toBeLessThan(scoreTolerance);
    }
  }
  if (found.scores.logLikelihoods) {
    const { items } = readGolden(join(fixtures, harness)).tasks.find(({ task }) => task === 'winogrande')!;
    const expected = items[0]!.requests.map(({ logLikelihood }) => logLikelihood);
    expect(apart(found.scores.logLikelihoods, expected)).toBeLessThan(scoreTolerance);
  }
  if (found.text !== '' && text !== null) expect(found.text.startsWith(text)).toBe(true);
}
