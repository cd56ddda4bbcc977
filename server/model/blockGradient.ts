// The way back through a block. Either it computes the block's inside again from what entered, or the way forward has kept
// what the way back needs of it. Letters: B batch, T tokens, D width.
import { gradients } from '../graph/gradient';
import { cut } from '../graph/cut';
import { add } from '../graph/ops/elementwise';
import { type Graph, input, type InputValue, type Shape, topologicalOrder, type Value } from '../graph/value';
import type { BatchShape } from './blockInputs';
import type { ModelConfig } from './config';
import { blockParts } from './llama';
import type { AdapterUse } from './lora';
import type { Stage } from './path';

export interface BlockDerivatives {
  /** Inputs of the block's graph to derive by: weights and adapter matrices by their names. */
  readonly inputs: readonly string[];
  /** Also by what enters the block: not needed where nothing before it is derived by. */
  readonly entering: boolean;
}

/** The output that holds the gradient by an input. */
export const gradientOf = (name: string) => `gradient of ${name}`;
export const enteringGradient = gradientOf('hidden');
export const leavingGradient = 'leavingGradient';

/**
 * Inputs: those of blockParts and leavingGradient [B*T, D]. Outputs: the gradients by every input asked for, in its shape,
 * and enteringGradient [B*T, D]. Computes the inside of the block again.
 */
export function blockBackward(
  config: ModelConfig,
  stage: Stage,
  batch: BatchShape,
  adapters: AdapterUse,
  wanted: BlockDerivatives,
): Graph {
  const { leaving } = blockParts(config, stage, batch, adapters);
  return { name: 'blockBackward', outputs: gradientsOf(leaving, wanted) };
}

/**
 * The same work in two graphs. `forward` has the output `leaving` and, as `kept 0`, `kept 1` and so on, what `backward`
 * takes under these names in place of computing it again. What is cheap is made again.
 */
export function blockForwardAndBackward(
  config: ModelConfig,
  stage: Stage,
  batch: BatchShape,
  adapters: AdapterUse,
  wanted: BlockDerivatives,
): { forward: Graph; backward: Graph; kept: readonly string[] } {
  const { leaving, entering } = blockParts(config, stage, batch, adapters);
  const { needed, outputs } = cut(gradientsOf(leaving, wanted), topologicalOrder([leaving]), 'kept', entering);
  return {
    forward: { name: 'blockForward', outputs: { leaving, ...needed } },
    backward: { name: 'blockBackward', outputs },
    kept: Object.keys(needed),
  };
}

/** The other summand of addGradients, and its result. */
export const moreOf = (name: string) => `more ${name}`;
export const sumOf = (name: string) => `sum ${name}`;

/** Gradients of two batches added up, by the inputs of these shapes. */
export function addGradients(shapes: Readonly<Record<string, Shape>>): Graph {
  const outputs = Object.entries(shapes).map(([name, shape]) => [
    sumOf(name),
    add(input(gradientOf(name), shape), input(moreOf(name), shape)),
  ]);
  return { name: 'addGradients', outputs: Object.fromEntries(outputs) };
}

function gradientsOf(leaving: Value, { inputs, entering }: BlockDerivatives): Record<string, Value> {
  const known = new Map(
    topologicalOrder([leaving])
      .filter((v): v is InputValue => v.kind === 'input')
      .map((v) => [v.name, v]),
  );
  const names = [...inputs, ...(entering ? ['hidden'] : [])];
  const targets = names.map((name) => {
    const target = known.get(name);
    if (!target) throw new Error(`the block has no input ${name} to derive by`);
    return target;
  });
  const found = gradients(leaving, input(leavingGradient, leaving.shape), targets);
  return Object.fromEntries(names.map((name, i) => [gradientOf(name), found[i]!]));
}
