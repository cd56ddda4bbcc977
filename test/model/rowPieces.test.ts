// Matrices in pieces of rows: every row is held once, no piece is too large, and no graph makes the whole again.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { size, topologicalOrder, type Value } from '../../server/graph/value';
import { adaptedModules } from '../../server/model/adapter';
import { blockBackward, blockForwardAndBackward } from '../../server/model/blockGradient';
import { blockGraph } from '../../server/model/block';
import type { ModelConfig } from '../../server/model/config';
import { heldWeights } from '../../server/model/heldWeights';
import { readModelConfig } from '../../server/model/readConfig';
import { rowPieces, weightOfInput } from '../../server/model/rowPieces';
import { configHeldAs } from '../../server/model/storage';
import { blockWeights } from '../../server/model/weights';
import { repoRoot } from '../fixtures';
import { noSpecialAdapter } from '../training/setting';

describe('pieces', () => {
  const rows: [number[], number | undefined, [number, number][]][] = [
    [[100, 8], undefined, [[0, 100]]],
    [[100, 8], 3200, [[0, 100]]],
    [[100, 8], 3199, [[0, 64], [64, 100]]], // biome-ignore format: a row
    [[128, 8], 1024, [[0, 32], [32, 64], [64, 96], [96, 128]]], // biome-ignore format: a row
    // Where 32 rows are too many, as many as fit.
    [[10, 8], 100, [[0, 3], [3, 6], [6, 9], [9, 10]]], // biome-ignore format: a row
    [[2, 8], 1, [[0, 1], [1, 2]]], // biome-ignore format: a row
    // A vector stays whole.
    [[4000], 100, [[0, 4000]]],
  ];
  it.each(rows)('of %j, %s bytes at the most', (shape, largestTensorBytes, expected) => {
    const pieces = rowPieces(largestTensorBytes === undefined ? {} : { largestTensorBytes }, 'w.weight', shape);
    expect(pieces.map(({ first, end }) => [first, end])).toEqual(expected);
    expect(new Set(pieces.map(({ input }) => input)).size).toBe(pieces.length);
    for (const { input } of pieces) expect(weightOfInput(input)).toBe('w.weight');
    if (pieces.length === 1) expect(pieces[0]!.input).toBe('w.weight');
  });

  it("of Llama-3.1-8B's block under WebGPU's 128 MiB: two halves of gate, up and down", () => {
    const config = llama8B({ largestTensorBytes: 2 ** 27 });
    const pieces = heldWeights(config, 0).filter(({ firstRow }) => firstRow !== null);
    expect(pieces.map(({ input, shape }) => [input, ...shape])).toEqual([
      ['mlp.gate_proj.weight 0+7168', 7168, 4096],
      ['mlp.gate_proj.weight 7168+7168', 7168, 4096],
      ['mlp.up_proj.weight 0+7168', 7168, 4096],
      ['mlp.up_proj.weight 7168+7168', 7168, 4096],
      ['mlp.down_proj.weight 0+2048', 2048, 14336],
      ['mlp.down_proj.weight 2048+2048', 2048, 14336],
    ]);
  });
});

const llama8B = (change: Partial<ModelConfig>): ModelConfig => ({
  ...readModelConfig({
    model_type: 'llama',
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 2,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    vocab_size: 128256,
  }),
  ...change,
});

const families = ['llama-bias', 'qwen2', 'qwen3', 'gemma2', 'phi3', 'olmo2', 'granite'];
const configOf = (family: string) =>
  readModelConfig(JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/families', family, 'config.json'), 'utf8')));

describe.each(families)('graphs of %s', (family) => {
  const whole = configOf(family);
  const matrices = blockWeights(whole).filter(({ shape }) => shape.length === 2);
  const largestTensorBytes = 2 * Math.min(...matrices.map(({ shape }) => size(shape)));
  const stage = { block: 0, sublayers: 'whole' } as const;
  const batch = { batch: 1, tokens: 2 };
  const modules = adaptedModules(whole, { ...noSpecialAdapter, rank: 2, alpha: 4, targets: ['all-linear'] }, null);
  const layers = new Map(modules.filter(({ block }) => block === 0).map((module) => [module.suffix, module]));

  it.each(['f32', 'f16', 'int8'] as const)('hold and make no larger matrix, weights in %s', (width) => {
    const config = { ...configHeldAs(whole, width), largestTensorBytes };
    expect(heldWeights(config, 0).length).toBeGreaterThan(blockWeights(config).length);
    for (const dropout of [false, true]) {
      const use = { layers, dropout };
      const inputs = dropout
        ? []
        : heldWeights(config, 0).flatMap(({ input, shape }) => (shape.length === 2 ? [input] : []));
      const wanted = { inputs, hiddenIn: true };
      const { forward, backward } = blockForwardAndBackward(config, stage, batch, use, wanted);
      for (const graph of [
        blockGraph(config, stage, batch, { adapters: use }),
        blockBackward(config, stage, batch, use, wanted),
        forward,
        backward,
      ]) {
        const values = topologicalOrder(Object.values(graph.outputs));
        expect(values.filter((value) => isMatrix(value) && 4 * size(value.shape) > largestTensorBytes)).toEqual([]);
      }
    }
  });

  /** By its shape a matrix of weights, of their gradients, or a part of one; a state has as many rows as there are tokens. */
  const isMatrix = ({ shape }: Value) => shape.length === 2 && shape[0]! > 2 && shape[1]! > 2;
});
