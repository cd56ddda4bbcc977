// Rotary position embedding: the angles, made on the host because a GPU's sine is not exact enough.
import type { ModelConfig, Rope } from './config';
import { rotaryWidth } from './form';

/** Inputs of graphs, by the place of the rope in the model's list. */
export const tableNames = (rope: number) =>
  rope === 0 ? { cos: 'cos', sin: 'sin' } : { cos: `cos ${rope}`, sin: `sin ${rope}` };

/** The tables of all ropes of a model by the names of graphs' inputs, each of `tableShape`, row-major. */
export function rotaryTables(config: ModelConfig, positions: number): Record<string, Float32Array> {
  const tables = config.ropes.map((rope, i) => {
    const { cos, sin } = tablesOf(rope, rotaryWidth(config), positions);
    const names = tableNames(i);
    return { [names.cos]: cos, [names.sin]: sin };
  });
  return Object.assign({}, ...tables);
}

export const tableShape = (config: ModelConfig, positions: number): [number, number] => [
  positions,
  rotaryWidth(config) / 2,
];

/**
 * Cosines and sines, each [positions, width/2]. Frequencies are rounded to float32 before they are multiplied with the
 * position, as transformers does, so that both see the same angles.
 */
function tablesOf(rope: Rope, width: number, positions: number): { cos: Float32Array; sin: Float32Array } {
  const frequencies = rotaryFrequencies(rope, width);
  const half = frequencies.length;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]!);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** Radians per position of each pair, [width/2]; theta^(-2i/width), rescaled as `rope` says (transformers, modeling_rope_utils.py). */
export function rotaryFrequencies(rope: Rope, width: number): Float32Array {
  const plain = Float32Array.from({ length: width / 2 }, (_, i) => 1 / Math.fround(rope.theta ** ((2 * i) / width)));
  switch (rope.type) {
    case 'default':
      return plain;
    case 'linear':
      return plain.map((f) => f / rope.factor);
    case 'llama3':
      return plain.map((f) => llama3(f, rope));
  }
}

/** Low frequencies are divided by the factor, high ones stay, and those between are blended. */
function llama3(frequency: number, rope: Rope & { type: 'llama3' }): number {
  const turns = (rope.originalContextLength * frequency) / (2 * Math.PI);
  if (turns > rope.highFrequencyFactor) return frequency;
  if (turns < rope.lowFrequencyFactor) return frequency / rope.factor;
  const smooth = (turns - rope.lowFrequencyFactor) / (rope.highFrequencyFactor - rope.lowFrequencyFactor);
  return ((1 - smooth) * frequency) / rope.factor + smooth * frequency;
}
