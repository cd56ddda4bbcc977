// The inputs of blocks that depend on positions alone.
import type { BatchShape } from '../model/blockInputs';
import { rotaryTables, tableShape } from '../model/rope';
import type { Tensor, Tensors } from '../runtime/tensor';
import type { Model } from './model';

export interface Tables {
  /** positions and rotary tables for a batch whose sequences all start at position 0. */
  for(batch: BatchShape): Promise<Tensors>;
}

/** Position tables, made once per shape in the model's scope. */
export function openTables({ config, device }: Pick<Model, 'config' | 'device'>): Tables {
  const made = new Map<string, Tensors>();
  const make = async ({ batch, tokens }: BatchShape) => {
    const positions = BigInt64Array.from({ length: batch * tokens }, (_, i) => BigInt(i % tokens));
    const tables: Record<string, Tensor> = { positions: await device.upload(positions, [batch, tokens], 'table') };
    for (const [name, table] of Object.entries(rotaryTables(config, tokens)))
      tables[name] = await device.upload(table, tableShape(config, tokens), 'table');
    return tables;
  };
  return {
    async for(batch) {
      const key = `${batch.batch}x${batch.tokens}`;
      const known = made.get(key) ?? (await make(batch));
      made.set(key, known);
      return known;
    },
  };
}
