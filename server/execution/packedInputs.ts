// The inputs of packed rows that depend on positions and ancestry alone: never on where a token happened to be packed.
import { maskedScore } from '../model/attention';
import type { ModelConfig } from '../model/config';
import { rotaryTables, tableShape } from '../model/rope';
import type { Device } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import type { PackedBatch } from './packing';

export interface PackedInputs {
  /** cos and sin for all positions. */
  readonly tables: Readonly<Record<string, Tensor>>;
  readonly tablePositions: number;
  /** positions and mask of a batch behind a stem, for blocks that see so many tokens back (null: all). */
  for(batch: PackedBatch, past: Past, window: number | null): Promise<Readonly<Record<string, Tensor>>>;
  /** Gives back what was made for batches, once they are done with; the tables stay. */
  forgetBatches(): void;
  dispose(): void;
}

/** Positions of the tokens of a stem, or of its first pieces, [P]; -1: padding. */
export type Past = Int32Array;

export async function openPackedInputs(device: Device, config: ModelConfig, nPositions: number): Promise<PackedInputs> {
  const tablePositions = 256 * Math.ceil(nPositions / 256);
  const tables: Record<string, Tensor> = {};
  for (const [name, table] of Object.entries(rotaryTables(config, tablePositions)))
    tables[name] = await device.upload(table, tableShape(config, tablePositions), 'table');
  const made = new Map<PackedBatch, Map<number | null, Record<string, Tensor>>>();
  const make = async (batch: PackedBatch, past: Past, window: number | null) => {
    const { batch: B, tokens: T, positions } = batch;
    const atLeastZero = BigInt64Array.from(positions, (position) => BigInt(Math.max(0, position)));
    return {
      positions: await device.upload(atLeastZero, [B, T], 'table'),
      mask: await device.upload(maskOf(batch, past, window), [B, T, past.length + T], 'table'),
    };
  };
  const forgetBatches = () => {
    for (const byWindow of made.values())
      for (const tensors of byWindow.values()) for (const tensor of Object.values(tensors)) tensor.dispose();
    made.clear();
  };
  return {
    tables,
    tablePositions,
    async for(batch, past, window) {
      const byWindow = made.get(batch) ?? new Map<number | null, Record<string, Tensor>>();
      const known = byWindow.get(window) ?? (await make(batch, past, window));
      made.set(batch, byWindow.set(window, known));
      return known;
    },
    forgetBatches,
    dispose() {
      forgetBatches();
      for (const tensor of Object.values(tables)) tensor.dispose();
    },
  };
}

/** [B, T, P+T]: zero where a token sees another (itself, those before it, the stem), else `hidden`. */
export function maskOf({ batch: B, tokens: T, positions, parents }: PackedBatch, past: Past, window: number | null) {
  const P = past.length;
  const width = P + T;
  const mask = new Float32Array(B * T * width).fill(maskedScore);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const position = positions[b * T + t]!;
      if (position < 0) continue;
      const row = mask.subarray((b * T + t) * width, (b * T + t + 1) * width);
      const parent = parents[b * T + t]!;
      if (parent >= 0) row.set(mask.subarray((b * T + parent) * width, (b * T + parent + 1) * width));
      else for (let p = 0; p < P; p++) if (past[p]! >= 0) row[p] = 0;
      row[P + t] = 0;
      if (window === null || position < window) continue;
      for (let p = 0; p < P; p++) if (past[p]! <= position - window) row[p] = maskedScore;
      for (let s = 0; s < t; s++) if (positions[b * T + s]! <= position - window) row[P + s] = maskedScore;
    }
  }
  return mask;
}
