// The inputs of packed rows that depend on positions and ancestry alone: never on where a token happened to be packed.
import { maskedScore } from '../model/attention';
import type { ModelConfig } from '../model/config';
import { rotaryTables, tableShape } from '../model/rope';
import type { Scope } from '../runtime/device';
import type { Tensor, Tensors } from '../runtime/tensor';
import type { PackedBatch } from './packing';

export interface PackedInputs {
  readonly tablePositions: number;
  /** What is made for batches from now on belongs to `scope`. */
  beginRound(scope: Scope): void;
  /** cos, sin, positions and mask of a batch behind its past, for blocks that see so many tokens back (null: all). */
  for(batch: PackedBatch & { readonly past: Past }, window: number | null): Promise<Tensors>;
}

/** Positions of the tokens of a prefix, or of its first pieces, [P]; -1: padding. */
export type Past = Int32Array;

/** The tables reach over all positions and belong to `scope`. */
export async function openPackedInputs(scope: Scope, config: ModelConfig, nPositions: number): Promise<PackedInputs> {
  const tablePositions = 256 * Math.ceil(nPositions / 256);
  const tables: Record<string, Tensor> = {};
  for (const [name, table] of Object.entries(rotaryTables(config, tablePositions)))
    tables[name] = await scope.upload(table, tableShape(config, tablePositions), 'table');
  let round = scope;
  const made = new Map<PackedBatch, Map<number | null, Tensors>>();
  return {
    tablePositions,
    beginRound(scope) {
      round = scope;
      made.clear();
    },
    async for(batch, window) {
      const byWindow = made.get(batch) ?? new Map<number | null, Tensors>();
      const { batch: B, tokens: T, positions, past } = batch;
      const atLeastZero = () => BigInt64Array.from(positions, (position) => BigInt(Math.max(0, position)));
      const known = byWindow.get(window) ?? {
        ...tables,
        positions: await round.upload(atLeastZero(), [B, T], 'table'),
        mask: await round.upload(maskOf(batch, past, window), [B, T, past.length + T], 'table'),
      };
      made.set(batch, byWindow.set(window, known));
      return known;
    },
  };
}

/** [B, T, P+T]: zero where a token sees another (itself, those before it, the prefix), else `maskedScore`. */
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
