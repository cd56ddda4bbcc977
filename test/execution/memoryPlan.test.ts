// Plans over the configs of published models: they grow with the work, fit their limit, or are refused with the numbers.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import type { ModelConfig } from '../../server/model/config';
import { readModelConfig } from '../../server/model/readConfig';
import { nParameters } from '../../server/model/weights';
import {
  planExecution,
  type MemoryPlan,
  type ExecutionRequest,
  sequenceOperations,
} from '../../server/execution/memoryPlan';
import { blockGroup, groupSize, headGroups } from '../../server/execution/weightStore';
import { available, dataFolder, repoRoot } from '../fixtures';
import { refusal } from '../refusal';

const read = (file: string) => readModelConfig(JSON.parse(readFileSync(file, 'utf8')));
const supported = (file: string): ModelConfig | null => {
  try {
    return read(file);
  } catch (error) {
    if (isUserError(error)) return null;
    throw error;
  }
};
const inside = (folder: string, of: (name: string) => string) =>
  existsSync(folder) ? readdirSync(folder).map((name) => [name, join(folder, of(name))] as const) : [];

const presets = join(dataFolder, 'data/configs');
const published = [...inside(presets, (name) => name), ...inside(join(presets, 'mlc-presets'), (name) => name)]
  .filter(([name]) => /\.json$/.test(name) && !/index|generation|tokenizer|special_tokens/.test(name))
  .map(([name, file]) => [name, supported(file)] as const);
const bundled = [
  ...inside(join(repoRoot, 'test/fixtures/families'), (name) => `${name}/config.json`),
  ['stories260k', join(repoRoot, 'test/fixtures/stories260k/config.json')] as const,
].map(([name, file]) => [name, read(file)] as const);
const configs = [...bundled, ...published].filter((row): row is [string, ModelConfig] => row[1] !== null);

const ample = 1e15;
const request: ExecutionRequest = {
  nSequences: 8,
  tokensPerSequence: 512,
  keepStates: true,
  memory: 'auto',
  limitBytes: ample,
};

describe.each(configs)('%s', (_, config) => {
  const plan = (changes: Partial<ExecutionRequest> = {}): MemoryPlan =>
    planExecution(config, { ...request, ...changes });
  const modes = ['resident', 'streaming'] as const;

  it('counts what the host holds beside the run, and nothing else for it', () => {
    const [without, withMore] = [plan(), plan({ hostBytes: 1e9 })];
    expect(withMore.totalBytes - without.totalBytes).toBe(1e9);
    expect(withMore.bytes.states).toBe(without.bytes.states);
    expect(refusal(() => plan({ hostBytes: 1e9, limitBytes: 1e9 }))).toMatch(/^cannotFit/);
  });

  it.each(modes)('adds up: %s', (memory) => {
    const { bytes, totalBytes, mode, nTokens } = plan({ memory });
    expect(mode).toBe(memory);
    expect(totalBytes).toBe(bytes.weights + bytes.states + bytes.activations + bytes.processes);
    expect(nTokens).toBe(8 * 512);
    for (const part of Object.values(bytes)) expect(Number.isSafeInteger(part) && part > 0).toBe(true);
  });

  it.each(modes)('never takes less for more sequences: %s', (memory) => {
    const totals = [1, 2, 3, 4, 8, 32, 100, 1000].map((nSequences) => plan({ memory, nSequences }).totalBytes);
    expect(totals).toEqual(totals.toSorted((a, b) => a - b));
  });

  it.each(modes)('takes more for longer sequences: %s', (memory) => {
    const totals = [256, 512, 1024, 2048, 4096].map(
      (tokensPerSequence) => plan({ memory, tokensPerSequence, nSequences: 1 }).totalBytes,
    );
    expect(totals).toEqual(totals.toSorted((a, b) => a - b));
    expect(totals.at(-1)).toBeGreaterThan(totals[0]!);
  });

  it('takes more where all hidden states are kept', () =>
    expect(plan().bytes.states).toBeGreaterThan(plan({ keepStates: false }).bytes.states));

  it('holds every block and the head when resident, two of the largest groups when streaming', () => {
    const vectors = config.width * (config.tiedEmbeddings ? 1 : 1 + config.vocabularySize);
    // Everything but the final norm, and embeddings of their own, which are read by row.
    expect(plan({ memory: 'resident' }).bytes.weights).toBe(4 * (nParameters(config) - vectors));
    const streaming = plan({ memory: 'streaming' });
    const groups = [blockGroup(config, 0), ...headGroups(config, streaming.headSliceRows)];
    expect(streaming.bytes.weights).toBe(8 * Math.max(...groups.map(groupSize)));
  });

  it('passes groups of whole micro-batches', () => {
    for (const memory of modes)
      for (const nSequences of [1, 3, 7, 8, 64, 333])
        for (const tokensPerSequence of [2, 100, 512, 1024, 3000])
          for (const limitBytes of [ample, plan({ memory: 'streaming', nSequences, tokensPerSequence }).totalBytes]) {
            if (memory === 'resident' && limitBytes !== ample) continue;
            const { groupSequences, microBatchSequences } = plan({ memory, nSequences, tokensPerSequence, limitBytes });
            expect(groupSequences === nSequences || groupSequences % microBatchSequences === 0).toBe(true);
            expect(microBatchSequences).toBeGreaterThanOrEqual(1);
            expect(groupSequences).toBeLessThanOrEqual(nSequences);
            expect(microBatchSequences === 1 || microBatchSequences * tokensPerSequence <= 1024).toBe(true);
          }
  });

  it('slices the head by a power of two, or not at all', () => {
    const { headSliceRows } = plan();
    expect(headSliceRows === config.vocabularySize || Number.isInteger(Math.log2(headSliceRows))).toBe(true);
    expect(headSliceRows).toBeLessThanOrEqual(config.vocabularySize);
  });

  it('streams, and in smaller groups, where the limit asks for it', () => {
    const many = { nSequences: 64 };
    const resident = plan({ ...many, memory: 'resident' });
    const streaming = plan({ ...many, memory: 'streaming' });
    expect(plan({ ...many, limitBytes: resident.totalBytes })).toEqual(resident);
    if (streaming.totalBytes < resident.totalBytes)
      expect(plan({ ...many, limitBytes: resident.totalBytes - 1 }).mode).toBe('streaming');
    const least = plan({ ...many, memory: 'streaming', nSequences: streaming.microBatchSequences });
    for (const share of [0, 0.3, 0.7, 1]) {
      const limitBytes = Math.ceil(least.totalBytes + share * (streaming.totalBytes - least.totalBytes));
      const fitting = plan({ ...many, memory: 'streaming', limitBytes });
      expect(fitting.totalBytes).toBeLessThanOrEqual(limitBytes);
      expect(fitting.groupSequences).toBeLessThanOrEqual(streaming.groupSequences);
    }
    const refused = refusal(() => plan({ ...many, memory: 'streaming', limitBytes: least.totalBytes - 1 }));
    expect(refused).toMatch(/^cannotFit: /);
  });
});

describe.skipIf(!available(presets))('published models', () => {
  const big = configs.filter(([, config]) => nParameters(config) > 1e9);
  it('are many', () => expect(big.length).toBeGreaterThan(10));
  it.each(big)('%s takes less than half streaming', (_, config) => {
    const streaming = planExecution(config, { ...request, memory: 'streaming' });
    expect(streaming.totalBytes).toBeLessThan(planExecution(config, { ...request, memory: 'resident' }).totalBytes / 2);
  });

  const of = (name: string) => configs.find(([known]) => known === name)![1];
  it('Llama-3.2-3B streams four sequences of 512 tokens within 3 GB', () => {
    const plan = planExecution(of('Llama-3.2-3B.config.json'), { ...request, nSequences: 4, limitBytes: 3e9 });
    expect(plan.mode).toBe('streaming');
    expect(plan.totalBytes).toBeLessThan(3e9);
    expect(plan.groupSequences).toBe(4);
  });
  it('Llama-3.2-3B resident needs its 3.21 billion parameters in float32', () => {
    const plan = planExecution(of('Llama-3.2-3B.config.json'), { ...request, memory: 'resident' });
    expect(plan.bytes.weights / 4e9).toBeCloseTo(3.21, 2);
  });
  it('Llama-2-70B can be streamed by a machine with 16 GB', () => {
    const plan = planExecution(of('llama2_70b.json'), { ...request, tokensPerSequence: 2048, limitBytes: 16e9 });
    expect(plan.mode).toBe('streaming');
  });
});

describe('refused', () => {
  const config = readModelConfig({
    model_type: 'llama',
    hidden_size: 1024,
    intermediate_size: 2048,
    num_hidden_layers: 10,
    num_attention_heads: 16,
    vocab_size: 32_000,
  });
  const rows: [string, Partial<ExecutionRequest>, string, string][] = [
    ['resident', { memory: 'resident', limitBytes: 570e6 }, 'resident', 'use --memory streaming.'],
    ['long sequences', { limitBytes: 500e6 }, 'streaming', 'use --tokens 64.'],
    [
      'resident and long sequences',
      { memory: 'resident', limitBytes: 430e6 },
      'resident',
      'use --memory streaming --tokens 32.',
    ],
    ['one sequence at most', { limitBytes: 385e6 }, 'streaming', 'use --sequences 1 --tokens 64.'],
    [
      'too much for any sequences',
      { limitBytes: 250e6 },
      'streaming',
      'no choice of sequences takes less than 378 MB, so allow at least that or use a machine with more memory.',
    ],
    [
      'short sequences',
      { tokensPerSequence: 128, limitBytes: 250e6 },
      'streaming',
      'no choice of sequences takes less than 378 MB, so allow at least that or use a machine with more memory.',
    ],
    [
      'nothing at all',
      { limitBytes: 0, memory: 'streaming' },
      'streaming',
      'no choice of sequences takes less than 378 MB, so allow at least that or use a machine with more memory.',
    ],
  ];
  it.each(rows)('%s, with what it takes and what to do', (_, changes, mode, remedy) => {
    const asked = { ...request, ...changes };
    const needed = planExecution(config, {
      ...asked,
      memory: mode as MemoryPlan['mode'],
      limitBytes: ample,
      nSequences: Math.min(asked.nSequences, 1024 / asked.tokensPerSequence),
    });
    const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
    const { weights, states, activations, processes } = needed.bytes;
    expect(refusal(() => planExecution(config, asked))).toBe(
      `cannotFit: This needs ${megabytes(needed.totalBytes)} (weights ${megabytes(weights)}, ` +
        `hidden states ${megabytes(states)}, activations ${megabytes(activations)}, the processes ${megabytes(processes)}) with weights ${mode}, ` +
        `but only ${megabytes(asked.limitBytes)} may be used: ${remedy}`,
    );
  });
});

describe('what is advised', () => {
  const options =
    /(?<streaming>--memory streaming)? ?(?:--sequences (?<sequences>\d+))? ?(?:--tokens (?<tokens>\d+))?\.$/;
  it.each(configs)('fits %s', (_, config) => {
    for (const memory of ['auto', 'resident', 'streaming'] as const) {
      for (const tokensPerSequence of [64, 512, 2048]) {
        for (let limitBytes = 200e6; limitBytes < 40e9; limitBytes *= 1.25) {
          const asked = { ...request, memory, tokensPerSequence, limitBytes };
          const said = refusal(() => planExecution(config, asked));
          if (said === 'accepted' || said.includes('no choice of sequences')) continue;
          const { streaming, sequences, tokens } = options.exec(said)!.groups!;
          const advised: ExecutionRequest = {
            ...asked,
            memory: streaming ? 'streaming' : memory,
            nSequences: Number(sequences ?? request.nSequences),
            tokensPerSequence: Number(tokens ?? tokensPerSequence),
          };
          expect(advised).not.toEqual(asked);
          expect(planExecution(config, advised).totalBytes).toBeLessThanOrEqual(limitBytes);
        }
      }
    }
  });
});

describe('a narrow model of many words', () => {
  const config = readModelConfig({
    model_type: 'llama',
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    vocab_size: 200_000,
  });
  it('streams slices of the head that are larger than a block', () => {
    const { headSliceRows, bytes } = planExecution(config, { ...request, memory: 'streaming' });
    expect(headSliceRows * 64).toBeGreaterThan(groupSize(blockGroup(config, 0)));
    expect(bytes.weights).toBe(2 * 4 * headSliceRows * 64);
  });
});

describe('operations', () => {
  it('of a block are two a weight and token, and attention', () => {
    const config = configs.find(([name]) => name === 'llama2')![1];
    // D 32, F 72, four heads of 8: 4 D^2 + 3 D F weights and two norms, no bias.
    const weights = 4 * 32 * 32 + 3 * 32 * 72 + 2 * 32;
    expect(sequenceOperations(config, 24)).toEqual({
      block: 2 * weights * 24 + 4 * 4 * 24 * 24 * 8,
      head: 2 * 61 * 32 * 24,
    });
  });
});
