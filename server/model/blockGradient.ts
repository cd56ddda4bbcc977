// The backward pass of a block. Either it computes the block's inside again from its input, or the forward pass has saved
// the activations that it needs. Letters: B batch, T tokens, D width.
import { gradients } from '../graph/gradient';
import { cut } from '../graph/cut';
import { add } from '../graph/ops/elementwise';
import { type Graph, input, isStored, type Shape, topologicalOrder, type Value } from '../graph/value';
import type { BatchShape } from './blockInputs';
import type { ModelConfig } from './config';
import { blockParts } from './block';
import type { AdapterUse } from './lora';
import type { Stage } from './path';

export interface GradientTargets {
  /** Inputs of the block's graph to differentiate with respect to: weights and adapter matrices by their names. */
  readonly inputs: readonly string[];
  /** Also the hidden state that comes in: not needed where nothing before the block is a target. */
  readonly hiddenIn: boolean;
}

/** The output that holds the gradient with respect to an input. */
export const gradientOf = (name: string) => `gradient of ${name}`;
export const hiddenInGradient = gradientOf('hidden');
export const hiddenOutGradient = 'hiddenOutGradient';

/**
 * Inputs: those of blockParts and hiddenOutGradient [B*T, D]. Outputs: the gradient with respect to every target, in its
 * shape, and hiddenInGradient [B*T, D]. Computes the inside of the block again.
 */
export function blockBackward(
  config: ModelConfig,
  stage: Stage,
  batch: BatchShape,
  adapters: AdapterUse,
  wanted: GradientTargets,
): Graph {
  const { hiddenOut } = blockParts(config, stage, batch, { adapters });
  return { name: 'blockBackward', outputs: gradientsOf(hiddenOut, wanted) };
}

/**
 * The same work in two graphs. `forward` has the output `hiddenOut` and, as `saved 0`, `saved 1` and so on, the activations
 * that `backward` takes under these names in place of computing them again. What is cheap is computed again.
 */
export function blockForwardAndBackward(
  config: ModelConfig,
  stage: Stage,
  batch: BatchShape,
  adapters: AdapterUse,
  wanted: GradientTargets,
): { forward: Graph; backward: Graph; savedActivations: readonly string[] } {
  const { hiddenOut, hiddenIn } = blockParts(config, stage, batch, { adapters });
  const { needed, outputs } = cut(gradientsOf(hiddenOut, wanted), topologicalOrder([hiddenOut]), 'saved', hiddenIn);
  return {
    forward: { name: 'blockForward', outputs: { hiddenOut, ...needed } },
    backward: { name: 'blockBackward', outputs },
    savedActivations: Object.keys(needed),
  };
}

/** The other summand of addGradients, and its result. */
export const moreOf = (name: string) => `more ${name}`;
export const sumOf = (name: string) => `sum ${name}`;

/** Gradients of two batches added up, with respect to the inputs of these shapes. */
export function addGradients(shapes: Readonly<Record<string, Shape>>): Graph {
  const outputs = Object.entries(shapes).map(([name, shape]) => [
    sumOf(name),
    add(input(gradientOf(name), shape), input(moreOf(name), shape)),
  ]);
  return { name: 'addGradients', outputs: Object.fromEntries(outputs) };
}

function gradientsOf(hiddenOut: Value, { inputs, hiddenIn }: GradientTargets): Record<string, Value> {
  const names = [...inputs, ...(hiddenIn ? ['hidden'] : [])];
  const found = gradients(hiddenOut, input(hiddenOutGradient, hiddenOut.shape), inputsNamed(hiddenOut, names));
  return Object.fromEntries(names.map((name, i) => [gradientOf(name), found[i]!]));
}

/** The inputs of these names that a value is made of. */
export function inputsNamed(of: Value, names: readonly string[]): Value[] {
  const known = new Map<string, Value>();
  for (const value of topologicalOrder([of])) {
    if (value.kind === 'input') known.set(value.name, value);
    // A weight that is stored in fewer bits is a target as what it is widened to.
    const stored = value.kind === 'node' && value.dtype === 'float32' ? value.inputs[0] : undefined;
    if (stored?.kind === 'input' && isStored(stored.dtype)) known.set(stored.name, value);
  }
  return names.map((name) => {
    const target = known.get(name);
    if (!target) throw new Error(`there is no input ${name} to differentiate with respect to`);
    return target;
  });
}
