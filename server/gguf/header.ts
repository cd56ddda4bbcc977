// The head of a GGUF file: keys and values, then the name, shape, type and place of every tensor. Hugging Face's library
// writes the keys; it writes no tensors. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import { type GGUFTypedMetadata, GGUFValueType, serializeGgufMetadata } from '@huggingface/gguf';
import type { KeyType, Keys } from './keys';
import { bytesOf, type StoredType, storedTypes } from './storedTypes';

export interface TensorInfo {
  readonly name: string;
  /** As [out, in]; the file has the sides the other way round. */
  readonly shape: readonly number[];
  readonly type: StoredType;
}

/** Tensors begin at multiples of this. */
export const alignment = 32;

export const padded = (nBytes: number): number => Math.ceil(nBytes / alignment) * alignment;

/** All bytes before the first tensor; the tensors follow in this order, each padded. */
export function ggufHeader(keys: Keys, tensors: readonly TensorInfo[]): Uint8Array {
  const before = serializeGgufMetadata(typedMetadata(keys, tensors.length), { alignment: 1 });
  const infos = tensorInfos(tensors);
  const header = new Uint8Array(padded(before.length + infos.length));
  header.set(before);
  header.set(infos, before.length);
  return header;
}

const valueTypes: Readonly<Record<KeyType, GGUFValueType>> = {
  uint32: GGUFValueType.UINT32,
  int32: GGUFValueType.INT32,
  float32: GGUFValueType.FLOAT32,
  bool: GGUFValueType.BOOL,
  string: GGUFValueType.STRING,
};

function typedMetadata(keys: Keys, nTensors: number): GGUFTypedMetadata {
  const entries = [...keys].map(([key, it]) => [
    key,
    'listOf' in it
      ? { value: it.value, type: GGUFValueType.ARRAY, subType: valueTypes[it.listOf] }
      : { value: it.value, type: valueTypes[it.type] },
  ]);
  return {
    version: { value: 3, type: GGUFValueType.UINT32 },
    tensor_count: { value: BigInt(nTensors), type: GGUFValueType.UINT64 },
    // The library counts for itself.
    kv_count: { value: 0n, type: GGUFValueType.UINT64 },
    ...Object.fromEntries(entries),
  };
}

function tensorInfos(tensors: readonly TensorInfo[]): Uint8Array {
  const names = tensors.map(({ name }) => new TextEncoder().encode(name));
  const nBytes = tensors.reduce((sum, { shape }, i) => sum + 8 + names[i]!.length + 4 + 8 * shape.length + 4 + 8, 0);
  const bytes = new Uint8Array(nBytes);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const uint = (value: number) => view.setUint32((at += 4) - 4, value, true);
  const long = (value: number) => view.setBigUint64((at += 8) - 8, BigInt(value), true);
  let offset = 0;
  for (const [i, { shape, type }] of tensors.entries()) {
    const name = names[i]!;
    long(name.length);
    bytes.set(name, at);
    at += name.length;
    uint(shape.length);
    for (const side of shape.toReversed()) long(side);
    uint(storedTypes[type].id);
    long(offset);
    offset += padded(bytesOf(type, shape));
  }
  return bytes;
}
