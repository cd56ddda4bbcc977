// espalier.json: what a pruned checkpoint was made from. It lies beside the weights and travels with them, so that a
// model pruned twice still says which blocks of the very first model it is made of.
import * as z from 'zod';
import { UserError } from '../errors';
import type { Sublayers } from '../model/config';
import { hasAttention, hasMlp, type Path } from '../model/path';

export interface Provenance {
  readonly format: 1;
  /** The first model of all, never pruned by us. */
  readonly baseModel: { readonly name: string; readonly nBlocks: number };
  /** The checkpoint that was read to write this one; the original itself after the first step. */
  readonly sourceModel: { readonly name: string; readonly nBlocks: number };
  /** Blocks of `baseModel` that are gone. */
  readonly removedBlocks: readonly number[];
  /** Blocks of `baseModel` that are left: block k of this checkpoint was block `keptBlocks[k]`. */
  readonly keptBlocks: readonly number[];
  /**
   * Blocks of this checkpoint whose attention or MLP was dropped: their output projections are zero. Absent in files of
   * earlier versions.
   */
  readonly droppedSublayers?: { readonly attention: readonly number[]; readonly mlp: readonly number[] } | undefined;
  /** What was done, in order. */
  readonly steps: readonly ProvenanceStep[];
}

/** One thing done to the model, with whatever its maker wanted to remember. */
export interface ProvenanceStep {
  readonly kind: string;
  readonly [detail: string]: unknown;
}

export const provenanceFile = 'espalier.json';

/**
 * @param text the content of an espalier.json beside a model of `nBlocks` blocks
 * @throws UserError `damagedCheckpoint` when it cannot be believed.
 */
export function parseProvenance(text: string, path: string, nBlocks: number): Provenance {
  const advice = 'if another program changed this model, delete that file, and the model counts as a new one';
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UserError('damagedCheckpoint', `${path} is not valid JSON; ${advice}.`);
  }
  const result = schema.safeParse(json);
  if (!result.success) {
    const where = result.error.issues[0]!.path.join('.') || 'its whole content';
    throw new UserError('damagedCheckpoint', `${path} has something unexpected in ${where}; ${advice}.`);
  }
  const found = result.data.keptBlocks.length;
  if (found !== nBlocks) {
    throw new UserError(
      'damagedCheckpoint',
      `${path} speaks of ${found} blocks, but the model has ${nBlocks}; ${advice}.`,
    );
  }
  const { attention, mlp } = result.data.droppedSublayers ?? { attention: [], mlp: [] };
  const outside = [...attention, ...mlp].find((block) => block >= nBlocks);
  if (outside !== undefined) {
    throw new UserError(
      'damagedCheckpoint',
      `${path} names a sublayer of block ${outside}, but the model has blocks 0 to ${nBlocks - 1}; ${advice}.`,
    );
  }
  return result.data;
}

const model = z.object({ name: z.string(), nBlocks: z.int().positive() });
const blocks = z.array(z.int().nonnegative());
const schema = z.object({
  format: z.literal(1),
  baseModel: model,
  sourceModel: model,
  removedBlocks: blocks,
  keptBlocks: blocks,
  droppedSublayers: z.object({ attention: blocks, mlp: blocks }).optional(),
  steps: z.array(z.looseObject({ kind: z.string() })),
});

/**
 * What to write beside a checkpoint that takes a path through a source.
 * @param source its name, its number of blocks, and its own provenance if it was already pruned
 */
export function provenanceAfter(
  source: { name: string; nBlocks: number; provenance: Provenance | null },
  path: Path,
  step: ProvenanceStep,
): Provenance {
  const { name, nBlocks, provenance } = source;
  const original = (block: number) => provenance?.keptBlocks[block] ?? block;
  const kept = path.map(({ block }) => original(block));
  const without = (has: (sublayers: Sublayers) => boolean) =>
    path.flatMap(({ sublayers }, k) => (has(sublayers) ? [] : [k]));
  const droppedSublayers = { attention: without(hasAttention), mlp: without(hasMlp) };
  const anySublayer = droppedSublayers.attention.length + droppedSublayers.mlp.length > 0;
  const baseModel = provenance?.baseModel ?? { name, nBlocks };
  const isKept = new Set(kept);
  return {
    format: 1,
    baseModel,
    sourceModel: { name, nBlocks },
    removedBlocks: Array.from({ length: baseModel.nBlocks }, (_, k) => k).filter((k) => !isKept.has(k)),
    keptBlocks: kept,
    ...(anySublayer && { droppedSublayers }),
    steps: [...(provenance?.steps ?? []), step],
  };
}

/** Sublayers that are dropped, by the numbers of `baseModel`. */
export function sublayersInOriginal({ keptBlocks, droppedSublayers }: Provenance): {
  attention: number[];
  mlp: number[];
} {
  const original = (blocks: readonly number[] = []) => blocks.map((block) => keptBlocks[block]!);
  return { attention: original(droppedSublayers?.attention), mlp: original(droppedSublayers?.mlp) };
}
