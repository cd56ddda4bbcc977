// The way back through a whole block of every family: against difference quotients in float64, the two ways of going back
// against each other, and onnxruntime against float64.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Graph, type InputValue, size, topologicalOrder } from '../../server/graph/value';
import {
  blockBackward,
  type GradientTargets,
  blockForwardAndBackward,
  hiddenInGradient,
  gradientOf,
  hiddenOutGradient,
} from '../../server/model/blockGradient';
import type { ModelConfig } from '../../server/model/config';
import { blockParts } from '../../server/model/block';
import { type AdapterUse, type LayerAdapter, maskOf } from '../../server/model/lora';
import type { Stage } from '../../server/model/path';
import { blockWeights } from '../../server/model/weights';
import { readModelConfig } from '../../server/model/readConfig';
import { rotaryTables } from '../../server/model/rope';
import { type Device, openDevice } from '../../server/runtime/device';
import { dropoutMask } from '../../server/training/random';
import { repoRoot } from '../fixtures';
import { compute, type Feeds, inputsOf } from '../graph/compute';
import { asDoubles, dot, relativeError } from '../graph/differences';
import { evaluate, someNumbers } from '../graph/evaluate';

const families = join(repoRoot, 'test/fixtures/families');
const configJson = (family: string) => JSON.parse(readFileSync(join(families, family, 'config.json'), 'utf8'));

interface Row {
  what: string;
  family: string;
  /** Changes to its config.json. */
  change?: object;
  stage?: Partial<Stage>;
  batch?: { batch: number; tokens: number };
  adapters?: 'none' | 'plain' | 'dropout';
  /** Default: by everything. */
  by?: string[];
}

/** So narrow that 130 tokens, which is more than attention takes at once, are few products. */
const narrow = { hidden_size: 8, intermediate_size: 6, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 4 };
const long = { batch: 1, tokens: 130 };
const attended = ['hidden', 'self_attn.q_proj.weight', 'self_attn.k_proj.weight', 'self_attn.v_proj.weight'];
const rows: Row[] = [
  ...readdirSync(families).map((family): Row => ({ what: 'adapters with dropout', family, adapters: 'dropout' })),
  { what: 'adapters', family: 'llama-bias', adapters: 'plain' },
  { what: 'no adapters', family: 'qwen3', adapters: 'none' },
  { what: 'the rope of full attention', family: 'gemma3', stage: { block: 2 } },
  { what: 'full attention', family: 'gemma2', stage: { block: 1 }, adapters: 'plain' },
  { what: 'attention alone', family: 'gemma2', stage: { sublayers: 'attentionOnly' }, adapters: 'dropout' },
  { what: 'MLP alone', family: 'olmo2', stage: { sublayers: 'mlpOnly' }, adapters: 'dropout' },
  { what: 'no rope', family: 'smollm3', stage: { block: 1 } },
  { what: 'attention alone', family: 'llama-bias', stage: { sublayers: 'attentionOnly' }, adapters: 'dropout' },
  { what: 'MLP alone', family: 'llama-bias', stage: { sublayers: 'mlpOnly' }, adapters: 'dropout' },
  { what: 'one sequence of two tokens', family: 'mistral-window', batch: { batch: 1, tokens: 2 } },
  { what: 'several chunks of queries', family: 'llama2', change: narrow, batch: long, by: attended },
  {
    what: 'several chunks of queries in a sequence',
    family: 'mistral-window',
    change: narrow,
    batch: long,
    by: attended,
  },
];

let device: Device;
beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
afterAll(() => device.close());
const table: string[] = [];
afterAll(() => console.log(table.join('\n')));

const ranks: Record<string, LayerAdapter> = {
  'self_attn.q_proj': { rank: 2, scaling: 2 },
  'self_attn.k_proj': { rank: 1, scaling: 0.5 },
  'self_attn.v_proj': { rank: 3, scaling: 1 },
  'self_attn.qkv_proj': { rank: 3, scaling: 0.5 },
  'self_attn.o_proj': { rank: 2, scaling: 2 },
  'mlp.gate_proj': { rank: 2, scaling: 2 },
  'mlp.up_proj': { rank: 4, scaling: 0.25 },
  'mlp.gate_up_proj': { rank: 2, scaling: 1 },
  'mlp.down_proj': { rank: 2, scaling: 3 },
};

function opened({ family, change, stage, batch = { batch: 2, tokens: 6 }, adapters = 'none', by }: Row) {
  const config = readModelConfig({ ...configJson(family), ...change });
  const at: Stage = { block: 0, sublayers: 'whole', ...stage };
  const own = new Set(blockWeights(config, at.sublayers).map(({ suffix }) => suffix));
  const layers = new Map(
    adapters === 'none' ? [] : Object.entries(ranks).filter(([layer]) => own.has(`${layer}.weight`)),
  );
  const use: AdapterUse = { layers, dropout: adapters === 'dropout' };
  const { hiddenOut } = blockParts(config, at, batch, { adapters: use });
  const inputs = inputsOf({ name: 'block', outputs: { hiddenOut } });
  const isTable = (name: string) => /\.keep$|^(positions|cos|sin)\b/.test(name);
  const targets = inputs.filter(({ name }) => !isTable(name) && (by?.includes(name) ?? true));
  const wanted: GradientTargets = {
    inputs: targets.map(({ name }) => name).filter((name) => name !== 'hidden'),
    hiddenIn: true,
  };
  const feeds = { ...feedsOf(config, inputs, batch), [hiddenOutGradient]: someNumbers(size(hiddenOut.shape), 7) };
  return { config, at, batch, use, hiddenOut, targets, wanted, feeds };
}

/** Numbers of a block at work: weights small, norms near 1, positions counted, masks as training draws them. */
function feedsOf(
  config: ModelConfig,
  inputs: readonly InputValue[],
  { batch, tokens }: { batch: number; tokens: number },
) {
  const rotation = rotaryTables(config, tokens);
  const positions = BigInt64Array.from({ length: batch * tokens }, (_, i) => BigInt(i % tokens));
  const tables: Feeds = { ...rotation, positions };
  const feeds: Record<string, Feeds[string]> = {};
  for (const [i, { name, shape }] of inputs.entries()) {
    const numbers = someNumbers(size(shape), 100 + i);
    if (tables[name]) feeds[name] = tables[name];
    else if (name.endsWith('.keep')) feeds[name] = dropoutMask(i, size(shape), 0.3);
    else if (name === 'hidden') feeds[name] = numbers;
    else feeds[name] = numbers.map((x) => (name.includes('norm.weight') ? 1 + x / 5 : x / 4));
  }
  return feeds;
}

const keyOf = (name: string) => (name === 'hidden' ? hiddenInGradient : gradientOf(name));

describe.each(rows)('$family: $what', (row) => {
  const { config, at, batch, use, hiddenOut, targets, wanted, feeds } = opened(row);
  const backward = blockBackward(config, at, batch, use, wanted);
  const doubles = asDoubles(feeds);
  const gradients = evaluate(backward, doubles);

  it('the gradients by all inputs are difference quotients', () => {
    const dropped = Object.keys(feeds).filter((name) => name.endsWith('.keep'));
    expect(dropped.length).toBe(row.adapters === 'dropout' ? use.layers.size : 0);
    const loss = (changed: Record<string, Float64Array>) =>
      dot(
        evaluate({ name: 'block', outputs: { hiddenOut } }, { ...doubles, ...changed }).hiddenOut!.data,
        feeds[hiddenOutGradient] as Float32Array,
      );
    let worst = { name: '', error: -1 };
    for (const [i, { name, shape }] of targets.entries()) {
      const direction = Float64Array.from(someNumbers(size(shape), 500 + i));
      const step = 1e-5;
      const along = (sign: number) =>
        loss({ [name]: (doubles[name] as Float64Array).map((x, j) => x + sign * step * direction[j]!) });
      const numeric = (along(1) - along(-1)) / (2 * step);
      const gradient = gradients[keyOf(name)]!;
      expect(gradient.shape, name).toEqual(shape);
      const error = relativeError(dot(gradient.data, direction), numeric);
      if (error > worst.error) worst = { name, error };
      expect(error, name).toBeLessThan(1e-5);
    }
    table.push(
      `${row.family}, ${row.what}: by ${targets.length} inputs within ${worst.error.toExponential(1)} (${worst.name})`,
    );
  });

  it('what the way forward keeps gives the same', () => {
    const { forward, backward: back, savedActivations } = blockForwardAndBackward(config, at, batch, use, wanted);
    const { [hiddenOutGradient]: _, ...hiddenIn } = doubles;
    const { hiddenOut: left, ...handed } = evaluate(forward, hiddenIn);
    expect(left!.data).toEqual(evaluate({ name: 'block', outputs: { hiddenOut } }, doubles).hiddenOut!.data);
    expect(Object.keys(handed)).toEqual(savedActivations);
    // No layer is made twice. The last one, with its adapter, is in nobody's way back.
    expect(layers(forward) + layers(back)).toBeLessThanOrEqual(layers(backward) + 2);
    expect(layers(back)).toBeLessThan(layers(backward));
    const given = Object.fromEntries(Object.entries(handed).map(([name, { data }]) => [name, data]));
    const found = evaluate(back, { ...doubles, ...given });
    for (const { name } of targets)
      expect(largestOff(found[keyOf(name)]!.data, gradients[keyOf(name)]!.data), name).toBeLessThan(1e-12);
  });

  it('onnxruntime gives the same', async () => {
    const found = await compute(device, backward, feeds);
    let worst = 0;
    for (const { name } of targets) {
      const off = largestOff(found[keyOf(name)]!, gradients[keyOf(name)]!.data);
      worst = Math.max(worst, off);
      expect(off, name).toBeLessThan(1e-4);
    }
    table.push(`${row.family}, ${row.what}: onnxruntime within ${worst.toExponential(1)} of the largest`);
  });
});

it('every projection with an adapter has a mask where there is dropout', () => {
  const { use, feeds } = opened({ what: '', family: 'llama2', adapters: 'dropout' });
  expect([...use.layers.keys()].every((layer) => maskOf(layer) in feeds)).toBe(true);
});

const layers = ({ outputs }: Graph) =>
  topologicalOrder(Object.values(outputs)).filter(
    (v) => v.kind === 'node' && ['Linear', 'LowRankLinear'].includes(v.op.name),
  ).length;

/** The largest difference over the largest number. */
function largestOff(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  let [off, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    off = Math.max(off, Math.abs(found[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return off / largest;
}
