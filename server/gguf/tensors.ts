// Which tensors a GGUF file has, in the order in which llama.cpp's converter writes them, and how each is made of a weight.
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { ModelConfig, Rope } from '../model/config';
import { embeddingName, finalNormName, headName, parseBlockWeightName } from '../model/weights';
import type { Architecture } from './architectures';
import type { TensorInfo } from './header';
import { holdsRowsOf, type StoredType } from './storedTypes';

/** What the matrices of a file are stored as. */
export type FileType = 'f16' | 'q8_0' | 'q4_0';

/** The numbers that `general.file_type` has for them. */
export const fileTypes: Readonly<Record<FileType, number>> = { f16: 1, q4_0: 2, q8_0: 7 };

export type Tensor = WeightTensor | ComputedTensor;

/** A weight of the model in another order or dtype. */
export interface WeightTensor extends TensorInfo {
  readonly weight: string;
  /** Of so many rows the first half become the even ones and the others the odd ones; 0: they stay as they are. */
  readonly interleavedRows: number;
  readonly addsOne: boolean;
}

interface ComputedTensor extends TensorInfo {
  readonly numbers: Float32Array;
}

export function tensorsOf({ config, weights }: Checkpoint, architecture: Architecture, fileType: FileType): Tensor[] {
  const entries = [...weights.values()].sort((a, b) => compare(a.file, b.file) || compare(a.name, b.name));
  const head = weights.has(headName) ? headName : embeddingName;
  const ofWeights = entries.map(
    ({ name, shape }): Tensor => ({
      name: tensorName(name, architecture),
      shape,
      type: shape.length === 1 ? 'f32' : matrixType(fileType, name === head, shape.at(-1)!),
      weight: name,
      interleavedRows:
        architecture.rotatesNeighbours && /\.[qk]_proj\.(weight|bias)$/.test(name) ? config.headWidth : 0,
      addsOne: config.form.normAddsOne && name.endsWith('norm.weight'),
    }),
  );
  return [...ropeTensors(config), ...ofWeights];
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** With four bits the head keeps eight: it costs most there. Rows that are not whole blocks are stored as halves. */
function matrixType(fileType: FileType, isHead: boolean, width: number): StoredType {
  const type = fileType === 'q4_0' && isHead ? 'q8_0' : fileType;
  return holdsRowsOf(type, width) ? type : 'f16';
}

function tensorName(name: string, { normsAfter }: Architecture): string {
  const outside = outsideNames[name];
  if (outside) return outside;
  const { block, suffix } = parseBlockWeightName(name)!;
  const [, module = '', part = ''] = /^(.+)\.(weight|bias)$/.exec(suffix) ?? [];
  const named = module === 'post_attention_layernorm' && normsAfter ? 'post_attention_norm' : blockNames[module];
  if (!named) throw new Error(`no GGUF name is known for ${name}`);
  return `blk.${block}.${named}.${part}`;
}

const outsideNames: Readonly<Record<string, string>> = {
  [embeddingName]: 'token_embd.weight',
  [finalNormName]: 'output_norm.weight',
  [headName]: 'output.weight',
};

const blockNames: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.qkv_proj': 'attn_qkv',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.gate_up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** By how much llama.cpp divides the frequencies of a rotation that is scaled as Llama 3's is. */
function ropeTensors({ ropes, headWidth }: ModelConfig): Tensor[] {
  const rope = ropes[0]!;
  if (rope.type !== 'llama3') return [];
  const numbers = llama3Factors(rope, headWidth);
  return [{ name: 'rope_freqs.weight', shape: [numbers.length], type: 'f32', numbers }];
}

/** As LlamaModel.generate_extra_tensors computes them, in float32. */
function llama3Factors(rope: Rope & { type: 'llama3' }, headWidth: number): Float32Array {
  const { theta, factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength: context } = rope;
  const f = Math.fround;
  return Float32Array.from({ length: headWidth / 2 }, (_, i) => {
    const frequency = f(1 / f(theta ** f((2 * i) / headWidth)));
    const wavelength = f((2 * Math.PI) / frequency);
    if (wavelength < context / high) return 1;
    if (wavelength > context / low) return factor;
    const smooth = f(f(f(context / wavelength) - low) / (high - low));
    return 1 / f(f(f(1 - smooth) / factor) + smooth);
  });
}
