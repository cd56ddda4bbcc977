// The last blocks of a path, the head and the loss, forward and backward, as one graph: what a backward pass needs of its
// forward pass stays within the run. Letters: B batch, T tokens, D width.
import { gradients } from '../graph/gradient';
import { expand } from '../graph/ops/movement';
import { substituted } from '../graph/substitute';
import { type Graph, type InputValue, input, scalar, type Value } from '../graph/value';
import { blockParts } from './block';
import { gradientOf, inputsNamed } from './blockGradient';
import type { BatchShape } from './blockInputs';
import type { ModelConfig } from './config';
import { distillationLoss } from './distillation';
import { beforeFirstSlice, finalNorm } from './head';
import { finalNormBackward, headSliceWithRows, weightedLoss } from './headGradient';
import type { AdapterUse } from './lora';
import type { Stage } from './path';
import { tableNames } from './rope';

export interface SegmentBlock {
  readonly stage: Stage;
  readonly adapters: AdapterUse;
  /** Inputs of the block's graph to differentiate with respect to. */
  readonly inputs: readonly string[];
}

export interface SegmentHead {
  /** Rows of each slice of the vocabulary. */
  readonly slices: readonly number[];
  /** What predictions are held against: the next token, or a teacher's likeliest ones. */
  readonly teacher: { readonly topK: number; readonly temperature: number } | null;
}

/** An input of one block of a segment, counted from its first, and of one slice of the head. */
export const ofBlock = (i: number, name: string) => `block ${i} ${name}`;
export const ofSlice = (s: number, name: string) => `slice ${s} ${name}`;

/**
 * Inputs: hidden [B*T, D] that enters the first block, positions and rotary tables, those of each block by `ofBlock`, those of
 * each slice by `ofSlice`, norm [D], and those of weightedLoss or distillationLoss. Outputs: loss [1, 1], and the gradients
 * by what is wanted of each block, and by hidden where that is wanted, as `gradientOf` names them.
 */
export function segmentGraph(
  config: ModelConfig,
  batch: BatchShape,
  blocks: readonly SegmentBlock[],
  head: SegmentHead,
  hiddenIn: boolean,
): Graph {
  const hidden = input('hidden', [batch.batch * batch.tokens, config.width]);
  const shared = inputsOnce();
  let hiddenOut: Value = hidden;
  for (const [i, { stage, adapters }] of blocks.entries()) {
    const { hiddenOut: made } = blockParts(config, stage, batch, { adapters });
    const before: Value = hiddenOut;
    const own = inputsOnce((name) => ofBlock(i, name));
    hiddenOut = substituted({ made }, (it) =>
      it.name === 'hidden' ? before : isTable(config, it) ? shared(it) : own(it),
    ).made;
  }
  const { loss, gradient } = lossOf(config, batch, hiddenOut, head);
  // The last block comes last: onnxruntime works back from there, so each gradient is made as soon as it can be.
  const wanted = [
    ...(hiddenIn ? ['hidden'] : []),
    ...blocks.flatMap(({ inputs }, i) => inputs.map((it) => ofBlock(i, it))),
  ];
  const found = gradients(hiddenOut, gradient, inputsNamed(hiddenOut, wanted));
  const outputs = Object.fromEntries(wanted.map((name, i) => [gradientOf(name), found[i]!]));
  return { name: 'segment', outputs: { ...outputs, loss } };
}

/** The loss of a hidden state and its gradient with respect to it. */
function lossOf(config: ModelConfig, batch: BatchShape, hidden: Value, { slices, teacher }: SegmentHead) {
  const rows = batch.batch * (batch.tokens - 1);
  const temperature = teacher?.temperature ?? 1;
  const shared = inputsOnce();
  const given = (values: Readonly<Record<string, Value>>) => (it: InputValue) => values[it.name] ?? shared(it);
  const { normed } = substituted(finalNorm(config, batch, temperature).outputs, given({ hidden }));
  const begin = (value: number, width: number) => expand(scalar(value), [rows, width]);
  let running = {
    largest: begin(beforeFirstSlice.largest, 1) as Value,
    sum: begin(beforeFirstSlice.sum, 1) as Value,
    headRows: begin(0, config.width) as Value,
  };
  for (const [s, sliceRows] of slices.entries()) {
    const { outputs } = headSliceWithRows(config, rows, sliceRows, temperature);
    const [before, own] = [running, inputsOnce((name) => ofSlice(s, name))];
    const known: Readonly<Record<string, Value>> = { ...before, normed: normed! };
    const next = substituted(outputs, (it) => known[it.name] ?? own(it));
    running = { largest: next.nextLargest!, sum: next.nextSum!, headRows: next.nextHeadRows! };
  }
  const objective = teacher
    ? distillationLoss(config, rows, teacher.topK, teacher.temperature)
    : weightedLoss(config, rows);
  const { loss, normedGradient } = substituted(objective.outputs, given({ ...running, normed: normed! }));
  const back = finalNormBackward(config, batch).outputs;
  const { hiddenOutGradient } = substituted(back, given({ hidden, normedGradient: normedGradient! }));
  return { loss: loss!, gradient: hiddenOutGradient! };
}

/** Equal inputs become one, under another name. */
function inputsOnce(renamed: (name: string) => string = (name) => name): (it: InputValue) => Value {
  const made = new Map<string, Value>();
  return ({ name, shape, dtype }) => {
    const value = made.get(name) ?? input(renamed(name), shape, dtype);
    made.set(name, value);
    return value;
  };
}

/** What depends on positions alone is the same for all blocks. */
const isTable = ({ ropes }: ModelConfig, { name }: InputValue): boolean =>
  name === 'positions' || ropes.some((_, rope) => Object.values(tableNames(rope)).includes(name));
