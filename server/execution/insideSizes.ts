// How many bytes a run takes beside weights and hidden states, counted in the graphs that it runs. Pure.
import { insideBytes } from '../graph/insideBytes';
import { type Graph, size } from '../graph/value';
import { blockGraph } from '../model/block';
import { blockBackward, blockForwardAndBackward } from '../model/blockGradient';
import { type BatchShape, noAdapters } from '../model/blockInputs';
import type { ModelConfig } from '../model/config';
import { headSlice } from '../model/head';
import { headSliceWithRows } from '../model/headGradient';
import { heldWeights } from '../model/heldWeights';
import { type AdapterUse, matrixA, matrixB } from '../model/lora';
import { segmentGraph } from '../model/segment';
import { headGroups } from './weightStore';

const stage = { block: 0, sublayers: 'whole' } as const;

/** Of a forward pass: the block, or a slice of the head beside the normed states and the rows of the tokens that come. */
export const forwardInside = (config: ModelConfig, batch: BatchShape, headSliceRows: number): number =>
  known(config, `forward ${batch.batch} ${batch.tokens} ${headSliceRows}`, () => {
    const rows = batch.batch * batch.tokens;
    const head = insideBytes(headSlice(config, rows, headSliceRows)) + 4 * rows * config.width;
    return Math.max(insideBytes(blockGraph(config, stage, batch)), head, 4 * rows * 3 * config.width);
  });

/** Of a pass there and back by all projections of a block, whose gradients of several batches are added up. */
export const gradientsInside = (config: ModelConfig, batch: BatchShape, headSliceRows: number, nBatches: number) =>
  known(config, `gradients ${batch.batch} ${batch.tokens} ${headSliceRows} ${Math.min(2, nBatches)}`, () => {
    const projections = heldWeights(config, 0).filter(({ suffix }) => suffix.endsWith('_proj.weight'));
    const sums = 4 * projections.reduce((sum, { shape }) => sum + size(shape), 0);
    const wanted = { inputs: projections.map(({ input }) => input), hiddenIn: true };
    const back = insideBytes(blockBackward(config, stage, batch, noAdapters, wanted));
    const block = nBatches > 1 ? Math.max(back + sums, 3 * sums) : Math.max(back, sums + 4 * 2 * largest(projections));
    return Math.max(block, headWithRows(config, batch, headSliceRows));
  });

/** Of a step of training, and what a block saves of a batch for the way back. */
export const trainingInside = (
  config: ModelConfig,
  batch: BatchShape,
  headSliceRows: number,
  adapters: AdapterUse,
): { readonly inside: number; readonly saved: number; readonly insideKept: number } =>
  known(config, `training ${batch.batch} ${batch.tokens} ${headSliceRows} ${keyOf(adapters)}`, () => {
    const wanted = { inputs: adapterInputs(adapters), hiddenIn: true };
    const head = headWithRows(config, batch, headSliceRows);
    const back = insideBytes(blockBackward(config, stage, batch, adapters, wanted));
    const kept = blockForwardAndBackward(config, stage, batch, adapters, wanted);
    const { hiddenOut: _, ...saved } = kept.forward.outputs;
    const insideKept = Math.max(insideBytes(kept.backward), insideBytes(kept.forward) - outputBytes(saved));
    return { inside: Math.max(back, head), saved: outputBytes(saved), insideKept: Math.max(insideKept, head) };
  });

/**
 * Of the last `nBlocks` blocks and the head as one graph, forth and back. Blocks are alike, so that a graph of many is not made: each
 * takes what the third adds to two.
 */
export const segmentInside = (
  config: ModelConfig,
  batch: BatchShape,
  headSliceRows: number,
  adapters: AdapterUse,
  nBlocks: number,
): number => {
  const slices = headGroups(config, headSliceRows).map(({ parts }) => parts[0]!.shape[0]!);
  const inputs = adapterInputs(adapters);
  const of = (n: number) =>
    known(config, `segment ${n} ${batch.batch} ${batch.tokens} ${headSliceRows} ${keyOf(adapters)}`, () => {
      const blocks = Array.from({ length: n }, () => ({ stage, adapters, inputs }));
      return insideBytes(segmentGraph(config, batch, blocks, { slices, teacher: null }, true));
    });
  return nBlocks <= 3 ? of(nBlocks) : of(3) + (nBlocks - 3) * (of(3) - of(2));
};

const adapterInputs = ({ layers }: AdapterUse) => [...layers.keys()].flatMap((name) => [matrixA(name), matrixB(name)]);

/** A slice of the head beside the normed states, and the sum of its rows before and after. */
function headWithRows(config: ModelConfig, { batch, tokens }: BatchShape, sliceRows: number): number {
  const rows = batch * tokens;
  return insideBytes(headSliceWithRows(config, rows, sliceRows)) + 4 * 2 * rows * config.width;
}

const outputBytes = (outputs: Graph['outputs']) =>
  Object.values(outputs).reduce((sum, { shape }) => sum + 4 * size(shape), 0);
const largest = (weights: readonly { readonly shape: readonly number[] }[]) =>
  Math.max(...weights.map(({ shape }) => size(shape)));
const keyOf = ({ layers, dropout }: AdapterUse) =>
  `${dropout} ${[...layers].map(([name, { rank }]) => `${name} ${rank}`)}`;

const counted = new WeakMap<ModelConfig, Map<string, unknown>>();

/** Plans ask for the same again and again. */
function known<T>(config: ModelConfig, key: string, count: () => T): T {
  const ofConfig = counted.get(config) ?? new Map<string, unknown>();
  counted.set(config, ofConfig);
  const found = (ofConfig.get(key) as T | undefined) ?? count();
  ofConfig.set(key, found);
  return found;
}
