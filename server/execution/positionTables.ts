// The inputs of blocks that depend on positions alone.
import type { BatchShape } from '../model/blockInputs';
import { rotaryTables } from '../model/rope';
import type { Tensor } from '../runtime/tensor';
import type { Model } from './model';

export interface Tables {
  /** positions, cos and sin for a batch whose windows all start at position 0. */
  for(batch: BatchShape): Promise<Record<string, Tensor>>;
  dispose(): void;
}

/** Position tables, made once per shape. */
export async function openTables({ config, device }: Pick<Model, 'config' | 'device'>): Promise<Tables> {
  const made = new Map<string, Record<string, Tensor>>();
  const make = async ({ batch, tokens }: BatchShape) => {
    const { cos, sin } = rotaryTables(config, tokens);
    const shape = [tokens, config.headWidth / 2];
    const positions = BigInt64Array.from({ length: batch * tokens }, (_, i) => BigInt(i % tokens));
    return {
      positions: await device.upload(positions, [batch, tokens], 'table'),
      cos: await device.upload(cos, shape, 'table'),
      sin: await device.upload(sin, shape, 'table'),
    };
  };
  return {
    async for(batch) {
      const key = `${batch.batch}x${batch.tokens}`;
      const known = made.get(key) ?? (await make(batch));
      made.set(key, known);
      return known;
    },
    dispose() {
      for (const tensors of made.values()) for (const tensor of Object.values(tensors)) tensor.dispose();
    },
  };
}
