// Repositories for the fake hub, small and with all that real ones have beside what a model needs.
import { mulberry32 } from '../../server/data/random';
import type { FakeRepository } from './fake/repositories';

/** The same bytes for the same seed. */
export function someBytes(n: number, seed: number): Buffer {
  const random = mulberry32(seed);
  return Buffer.from(Array.from({ length: n }, () => Math.floor(256 * random())));
}

const index = {
  metadata: { total_size: 1 },
  weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
};

export const beside = {
  'config.json': '{"model_type":"llama"}',
  'generation_config.json': '{}',
  'tokenizer.json': someBytes(5000, 1),
  'tokenizer_config.json': '{"a":1}',
  'additional_chat_templates/tool_use.jinja': '{{ messages }}',
  'README.md': '---\nlicense: mit\n---\n',
  LICENSE: 'You may.',
} as const;

export const notNeeded = {
  '.gitattributes': '*',
  'pytorch_model.bin': someBytes(3000, 2),
  'consolidated.safetensors': someBytes(3000, 3),
  'modeling_llama.py': 'print(1)',
  'onnx/model.onnx': someBytes(3000, 4),
  'model.gguf': someBytes(3000, 5),
  'original/params.json': '{}',
  'training_args.bin': someBytes(1200, 6),
} as const;

export const shards = {
  'model.safetensors.index.json': JSON.stringify(index),
  'model-00001-of-00002.safetensors': someBytes(300_000, 7),
  'model-00002-of-00002.safetensors': someBytes(150_000, 8),
} as const;

export const sharded: FakeRepository = {
  files: { ...beside, ...notNeeded, ...shards },
  revisions: { 'v1.0': 'b'.repeat(40) },
};
export const single: FakeRepository = {
  files: { ...beside, ...notNeeded, 'model.safetensors': someBytes(200_000, 9) },
};
