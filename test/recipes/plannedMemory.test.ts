// What plans for a device say beside what runs take: the most bytes of tensors, counted as they are made and within graphs, for
// many ways of working. The same tensors are made on the CPU.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRandomCheckpoint } from '../../server/checkpoint/randomCheckpoint';
import type { RunFacts } from '../../server/protocol/reports';
import type { ComputingRecipe } from '../../server/plan/planners';
import { recipeSchema } from '../../server/recipes/kinds';
import { makePlan } from '../../server/plan/makePlan';
import { modelFolder, repoRoot } from '../fixtures';
import { runHere } from './runHere';

const root = mkdtempSync(join(tmpdir(), 'planned-memory-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const model = join(root, 'model');

/** Large enough that a run takes more than the product that tells the device's speed before it. */
const shape = {
  model_type: 'llama',
  hidden_size: 256,
  intermediate_size: 704,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  vocab_size: 512,
  tie_word_embeddings: false,
  max_position_embeddings: 2048,
};
beforeAll(() =>
  writeRandomCheckpoint({
    configJson: shape,
    tokenizerFolder: modelFolder('stories260k'),
    out: model,
    seed: 1,
    maxShardBytes: 1e9,
  }),
);

function source(nSequences: number, tokens: number) {
  const file = join(root, `${nSequences}x${tokens}.json`);
  const row = (s: number) => Array.from({ length: tokens }, (_, t) => (7 * t + 31 * s + t * t) % 512);
  writeFileSync(file, JSON.stringify(Array.from({ length: nSequences }, (_, s) => row(s))));
  return { kind: 'ids' as const, file };
}

const compute = { device: 'cpu', threads: 2, memory: 'resident' };
const streaming = { ...compute, memory: 'streaming' };
const analyze = (methods: string[], nSequences: number, tokens: number, how: object = compute, more: object = {}) => ({
  ...{ kind: 'analyze', model, methods, source: source(nSequences, tokens), compute: how, ...more },
});

let nHealings = 0;
const heal = (loop: object, how: object = compute, dropout = 0, tokens = 128) => ({
  ...{ kind: 'heal', model, compute: how, out: join(root, `healed ${nHealings++}`) },
  data: { files: [join(repoRoot, 'media/demo/tinystories.txt')], tokens, heldOutFraction: 0 },
  adapter: { rank: 8, alpha: 16, targets: ['all-linear'], dropout },
  loop: { steps: 1, microBatchSequences: 4, ...loop },
});

const rows: [string, object][] = [
  ['the loss alone', analyze(['none'], 4, 256)],
  ['the loss alone, streaming', analyze(['none'], 4, 256, streaming)],
  ['the loss alone of one long sequence', analyze(['none'], 1, 1024)],
  ['all methods', analyze(['all'], 4, 256)],
  ['all methods, streaming', analyze(['all'], 4, 256, streaming)],
  ['Taylor', analyze(['taylor'], 4, 256)],
  ['Taylor, streaming', analyze(['taylor'], 4, 256, streaming)],
  ['f16', analyze(['none'], 4, 256, { ...compute, weights: 'f16' })],
  ['int8', analyze(['none'], 4, 256, { ...compute, weights: 'int8' })],
  ['int4, streaming', analyze(['none'], 4, 256, { ...streaming, weights: 'int4' })],
  ['a step of healing, insides kept', heal({ activations: 'keep' })],
  ['a step of healing, insides made again', heal({ activations: 'recompute' })],
  ['a step of healing, streaming', heal({ activations: 'recompute' }, streaming)],
  ['a step of healing of two micro-batches, dropout', heal({ activations: 'keep', accumulate: 2 }, streaming, 0.1)],
  [
    'a step of healing, insides kept, of long sequences',
    heal({ activations: 'keep', microBatchSequences: 1 }, compute, 0, 512),
  ],
  ['a step of healing on int4, insides kept', heal({ activations: 'keep' }, { ...compute, weights: 'int4' })],
  [
    'a step of healing on int8, insides made again',
    heal({ activations: 'recompute' }, { ...compute, weights: 'int8' }),
  ],
  ['perplexity', { kind: 'perplexity', models: [model], source: source(4, 256), compute }],
];

describe('a device takes what its plan says', () => {
  it.each(rows)('%s', async (name, recipe) => {
    const parsed = recipeSchema.parse(recipe) as ComputingRecipe;
    const report = (await runHere(parsed)) as unknown as RunFacts;
    const onWebgpu = { device: 'webgpu', reason: null, operationsPerSecond: null } as const;
    const { deviceMemory } = await makePlan(parsed, onWebgpu);
    const share = report.peakTensorBytes! / deviceMemory!.totalBytes;
    console.log(`${name}: ${share.toFixed(3)} of the plan`);
    expect(share).toBeGreaterThan(0.85);
    expect(share).toBeLessThan(1.15);
  });
});
