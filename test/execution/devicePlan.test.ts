// Plans for a device with memory of its own: they name it apart from the host's, hold as much as fits, and refuse the rest.
import { describe, expect, it } from 'vitest';
import { type ExecutionRequest, type MemoryPlan, planExecution } from '../../server/execution/memoryPlan';
import { blockStays, weightSizes } from '../../server/execution/memorySizes';
import { planScoring } from '../../server/execution/scoringPlan';
import { planTraining, type TrainingRequest } from '../../server/execution/trainingPlan';
import { blockGroup, groupBytes } from '../../server/execution/weightStore';
import { readModelConfig } from '../../server/model/readConfig';
import { nParameters } from '../../server/model/weights';
import { refusal } from '../refusal';

const config = readModelConfig({
  model_type: 'llama',
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 12,
  num_attention_heads: 16,
  num_key_value_heads: 4,
  vocab_size: 32_000,
  tie_word_embeddings: true,
});
const ample = 1e15;
const request: ExecutionRequest = {
  nSequences: 8,
  tokensPerSequence: 256,
  keepStates: false,
  memory: 'auto',
  limitBytes: ample,
};
const within = (limitBytes: number, change: Partial<ExecutionRequest> = {}): MemoryPlan =>
  planExecution(config, { ...request, device: { limitBytes, ofHost: false }, ...change });
const blockBytes = groupBytes(blockGroup(config, 0));
const whole = within(ample);

describe('a plan for a device', () => {
  it('has the tensors on the device, and two buffers for weights on the host', () => {
    const ofHost = planExecution(config, request);
    const { bytes, totalBytes, limitBytes } = whole.device!;
    expect([bytes.weights, limitBytes]).toEqual([ofHost.bytes.weights, ample]);
    expect(totalBytes).toBe(bytes.weights + bytes.states + bytes.activations);
    for (const part of ['states', 'activations'] as const) {
      expect(bytes[part]).toBeGreaterThan(0);
      expect(bytes[part]).toBeLessThanOrEqual(ofHost.bytes[part]);
    }
    expect([whole.mode, whole.stayingBlocks, ofHost.device]).toEqual(['resident', 12, null]);
    expect(whole.bytes.states).toBe(0);
    expect(whole.bytes.weights).toBeGreaterThanOrEqual(2 * blockBytes);
    expect(whole.totalBytes).toBeLessThan(ofHost.totalBytes - (4 * nParameters(config)) / 2);
  });

  it('holds fewer blocks the less memory there is, and never more than there is', () => {
    const smallest = within(ample, { memory: 'streaming', nSequences: 1 }).device!.totalBytes;
    const staying: number[] = [];
    for (let limit = whole.device!.totalBytes; limit >= smallest; limit -= blockBytes / 2) {
      const plan = within(limit);
      expect(plan.device!.totalBytes).toBeLessThanOrEqual(limit);
      const sizes = weightSizes(config, plan.headSliceRows);
      if (plan.mode === 'streaming') staying.push(sizes.withStaying(plan.stayingBlocks, plan.headStays).staying);
      // More would not fit, unless it were the head in place of blocks, which takes as much.
      if (plan.mode === 'streaming') expect(limit - plan.device!.totalBytes).toBeLessThan(blockBytes);
    }
    expect(staying.at(-1)).toBeLessThan(blockBytes);
    expect(new Set(staying).size).toBeGreaterThan(8);
    for (const [i, bytes] of staying.entries()) expect(bytes).toBeLessThanOrEqual(staying[i - 1] ?? bytes);
  });

  it('makes micro-batches smaller before weights have to pass', () => {
    const smaller = within(whole.device!.totalBytes - 1);
    expect([smaller.mode, smaller.microBatchSequences < whole.microBatchSequences]).toEqual(['resident', true]);
  });

  it('keeps no block where streaming is asked for', () =>
    expect(within(ample, { memory: 'streaming' })).toMatchObject({ mode: 'streaming', stayingBlocks: 0 }));

  it('is refused with what the device would need', () => {
    const said = refusal(() => within(70e6));
    expect(said).toMatch(
      /^cannotFit: This needs \d+ MB on the device \(weights \d+ MB, hidden states \d+ MB, activations \d+ MB\) with weights streaming, but only 70 MB may be used: /,
    );
    const none = refusal(() => within(20e6));
    expect(none).toMatch(
      /no choice of sequences takes less than \d+ MB there, so use --device cpu or a device with more memory\.$/,
    );
  });

  it('counts both where the memory is that of the host', () => {
    const plan = (limitBytes: number) =>
      planExecution(config, { ...request, limitBytes, device: { limitBytes, ofHost: true } });
    const both = whole.totalBytes + whole.device!.totalBytes;
    expect(plan(both)).toMatchObject({ mode: 'resident', microBatchSequences: whole.microBatchSequences });
    const less = plan(both - 1);
    expect(less.totalBytes + less.device!.totalBytes).toBeLessThan(both);
    expect(refusal(() => plan(300e6))).toContain(", whose memory is the host's, and ");
  });

  it('scores more requests together where there is room', () => {
    const scoring = (limitBytes: number) =>
      planScoring(config, {
        nTokens: 20_000,
        batchTokens: 1024,
        nPaths: 3,
        memory: 'auto',
        limitBytes: ample,
        device: { limitBytes, ofHost: false },
      });
    const [roomy, tight] = [scoring(ample), scoring(1.02 * scoring(ample).device!.totalBytes - 0.2e9)];
    expect(roomy.groupBytes).toBe(roomy.device!.bytes.states);
    expect(tight.groupBytes).toBeLessThan(roomy.groupBytes);
    expect(tight.groupBytes).toBe(tight.device!.bytes.states);
  });
});

describe('training on a device', () => {
  const training: TrainingRequest = {
    microBatchSequences: 2,
    tokensPerSequence: 256,
    accumulate: 2,
    nAdapterParameters: 1e6,
    adapters: { layers: new Map([['self_attn.q_proj', { rank: 8, scaling: 2 }]]), dropout: false },
    activations: 'auto',
    dropout: 0,
    memory: 'auto',
    limitBytes: ample,
  };
  const on = (limitBytes: number) => planTraining(config, { ...training, device: { limitBytes, ofHost: false } });

  it('keeps insides, computes them again, lets blocks pass, and refuses, as there is less', () => {
    const ways: string[] = [];
    for (let limit = on(ample).device!.totalBytes; ; limit *= 0.96) {
      const said = refusal(() => on(limit));
      if (said !== 'accepted') {
        expect(said).toMatch(
          /^cannotFit: Training needs \d+ MB on the device .* use fewer --tokens or a smaller --micro-batch\.$/,
        );
        break;
      }
      const { mode, keeps, stayingBlocks, headStays, device } = on(limit);
      expect(device!.totalBytes).toBeLessThanOrEqual(limit);
      const staying = mode === 'resident' ? 'all' : stayingBlocks > 0 || headStays ? 'some' : 'none';
      const way = `${keeps}, ${staying}`;
      if (ways.at(-1) !== way) ways.push(way);
    }
    expect(ways).toEqual([
      'keep, all',
      'recompute, all',
      'keep, some',
      'keep, none',
      'recompute, some',
      'recompute, none',
    ]);
  });
});

describe('blocks that stay', () => {
  it.each([
    [1, 2],
    [3, 12],
    [7, 12],
    [11, 12],
    [5, 6],
    [1, 126],
  ])('%i of %i are spread evenly', (n, of) => {
    const which = Array.from({ length: of }, (_, k) => k).filter((k) => blockStays(k, n, of));
    expect(which).toHaveLength(n);
    const gaps = which.slice(1).map((k, i) => k - which[i]!);
    if (n > 1) expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
  });
});
