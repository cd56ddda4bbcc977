// Models with numbers that are not finite: copies of a fixture with the bits of single weights overwritten.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWithoutBlocks } from '../../server/checkpoint/surgery';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import type { Dtype } from '../../server/protocol/recipes';
import { ofBlocks } from '../../server/shared/dropSets';

/** A weight, the place of a number in the order of memory, and what comes there; 16 bits where the dtype is narrow. */
export interface Fault {
  readonly weight: string;
  readonly at: number;
  readonly value: number;
}

/** Bits of the three values in each narrow dtype; a file cannot be made with them but by a fault. */
const narrowBits = {
  F16: { NaN: 0x7e00, Infinity: 0x7c00, '-Infinity': 0xfc00 },
  BF16: { NaN: 0x7fc0, Infinity: 0x7f80, '-Infinity': 0xff80 },
} as const;

/** Writes the model into `out` with some numbers of its weights replaced, in a dtype if one is given. */
export async function writeFaulty(
  model: string,
  out: string,
  faults: readonly Fault[],
  dtype: Dtype | null = null,
): Promise<string> {
  if (dtype === null) cpSync(model, out, { recursive: true });
  else {
    const source = await openCheckpoint(model);
    await writeWithoutBlocks(source, { drop: ofBlocks([]), out, dtype, provenance: {} });
    await source.close();
  }
  const checkpoint = await openCheckpoint(out);
  const entries = faults.map((fault) => ({ ...fault, entry: checkpoint.weights.get(fault.weight)! }));
  await checkpoint.close();
  for (const { entry, at, value } of entries) {
    const bytes = readFileSync(join(out, entry.file));
    if (entry.dtype === 'F32') bytes.writeFloatLE(value, entry.offset + 4 * at);
    else if (entry.dtype === 'F64') bytes.writeDoubleLE(value, entry.offset + 8 * at);
    else bytes.writeUInt16LE(narrowBits[entry.dtype][String(value) as 'NaN'], entry.offset + 2 * at);
    writeFileSync(join(out, entry.file), bytes);
  }
  return out;
}

/**
 * Finite weights of the tiny model with which the loss is finite, but not the loss without block 1: that block makes one
 * channel so large that the norm before the MLP of block 4 leaves nothing of the channel which is scaled up there.
 */
export async function writeOverflowing(model: string, out: string): Promise<string> {
  const checkpoint = await openCheckpoint(model);
  const { width, mlpWidth } = checkpoint.config;
  const down = await checkpoint.readF32('model.layers.1.mlp.down_proj.weight');
  await checkpoint.close();
  const row = Array.from({ length: mlpWidth }, (_, i) => ({
    weight: 'model.layers.1.mlp.down_proj.weight',
    at: 5 * mlpWidth + i,
    value: 1e8 * down[5 * mlpWidth + i]!,
  }));
  const scaled = Array.from({ length: width }, (_, channel) => channel)
    .filter((channel) => channel !== 5)
    .map((at) => ({ weight: 'model.layers.4.post_attention_layernorm.weight', at, value: 1e22 }));
  return writeFaulty(model, out, [...row, ...scaled]);
}
