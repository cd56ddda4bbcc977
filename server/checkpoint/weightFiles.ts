// The weights of a new checkpoint: one model.safetensors, or shards with an index above a size.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SafetensorsDtype, type TensorSpec, tensorBytes, writeSafetensors } from './safetensors';

/**
 * Writes the weights of a checkpoint into `folder`, in the given order.
 * @param bytesOf yields a tensor's bytes chunk by chunk; one buffer may serve all chunks
 * @returns the names of the weight files
 * @throws whatever the file system says; to be called within `withStagedFolder`.
 */
export async function writeWeightFiles<Tensor extends TensorSpec>(
  folder: string,
  tensors: readonly Tensor[],
  maxShardBytes: number,
  bytesOf: (tensor: Tensor) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<string[]> {
  const shards = planShards(tensors, maxShardBytes);
  const files = shards.map((_, i) =>
    shards.length === 1 ? 'model.safetensors' : `model-${serial(i + 1)}-of-${serial(shards.length)}.safetensors`,
  );
  for (const [i, shard] of shards.entries()) {
    await writeSafetensors(join(folder, files[i]!), alignedOrder(shard), bytesOf);
  }
  if (shards.length > 1) {
    const index = {
      metadata: { total_size: sumBytes(tensors) },
      weight_map: Object.fromEntries(shards.flatMap((shard, i) => shard.map(({ name }) => [name, files[i]!]))),
    };
    await writeFile(join(folder, 'model.safetensors.index.json'), `${JSON.stringify(index, null, 2)}\n`);
  }
  return files;
}

/** Consecutive tensors, as many as fit; a tensor larger than `maxShardBytes` gets a shard of its own. */
export function planShards<Tensor extends TensorSpec>(tensors: readonly Tensor[], maxShardBytes: number): Tensor[][] {
  const shards: Tensor[][] = [[]];
  let shardBytes = 0;
  for (const tensor of tensors) {
    const nBytes = tensorBytes(tensor);
    if (shardBytes > 0 && shardBytes + nBytes > maxShardBytes) {
      shards.push([]);
      shardBytes = 0;
    }
    shards.at(-1)!.push(tensor);
    shardBytes += nBytes;
  }
  return shards;
}

export const sumBytes = (tensors: readonly TensorSpec[]) =>
  tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);

const serial = (n: number) => String(n).padStart(5, '0');

/** Wider elements first, so that every tensor begins at a multiple of its element's size, for readers that map files. */
function alignedOrder<Tensor extends TensorSpec>(tensors: readonly Tensor[]): Tensor[] {
  const elementBytes = (dtype: SafetensorsDtype) => tensorBytes({ name: '', dtype, shape: [8] });
  return [...tensors].sort((a, b) => elementBytes(b.dtype) - elementBytes(a.dtype));
}
