// Which model an adapter was trained on. Two cuts of one model have the same shapes, so an adapter fits both and is right on one.
// What decides is a print of the weights, which a copy in another place or in other shards has, too; espalier.json gives the words.
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { UserError } from '../errors';
import type { WeightDtype } from '../model/config';
import { dropSetInWords, isEmpty } from '../shared/dropSets';
import type { Checkpoint } from './checkpoint';
import { bytesPerWeight, narrowInto, roundInto, widenInto } from './dtype';
import type { Provenance } from './provenance';

const list = z.array(z.int().nonnegative());
const baseRecord = z.object({
  name: z.string(),
  dtype: z.string(),
  /** Over the beginning of every weight, rounded to bf16. */
  printSha256: z.string(),
  /** What it was made of: blocks of `original` that are left, sublayers that are dropped, and what else changed its weights. */
  original: z.string(),
  removedBlocks: list,
  droppedSublayers: z.object({ attention: list, mlp: list }),
  changes: z.array(z.string()),
});
/** Of a model, as it is written beside an adapter. */
export type BaseRecord = z.output<typeof baseRecord>;

export async function baseRecordOf(checkpoint: Checkpoint): Promise<BaseRecord> {
  const { name, config, provenance } = checkpoint;
  return {
    name,
    dtype: config.dtype,
    printSha256: await printOf(checkpoint),
    original: provenance?.baseModel.name ?? name,
    removedBlocks: [...(provenance?.removedBlocks ?? [])],
    droppedSublayers: {
      attention: [...(provenance?.droppedSublayers?.attention ?? [])],
      mlp: [...(provenance?.droppedSublayers?.mlp ?? [])],
    },
    changes: provenance?.steps.flatMap(changeOf) ?? [],
  };
}

/** What a step did to weights that stay, in words. */
const changeOf = (step: Provenance['steps'][number]): string[] => {
  if (step.kind === 'merge') return [`${step.adapter} merged`];
  if (step.kind !== 'prune') return [step.kind];
  return step.repair ? ['repaired'] : [];
};

/** @returns null where both are one model, by their weights, or by all that was done where only the dtype is another */
export function otherBase(
  trainedOn: BaseRecord,
  now: BaseRecord,
): { readonly trained: string; readonly present: string } | null {
  if (trainedOn.printSha256 === now.printSha256) return null;
  const [before, after] = [inWords(trainedOn), inWords(now)];
  if (before !== after) return { trained: before, present: after };
  if (trainedOn.dtype !== now.dtype) return null;
  return { trained: before, present: `${after} with other weights` };
}

/** `stories260k without block 3, repaired`. */
function inWords({ original, removedBlocks, droppedSublayers, changes }: BaseRecord): string {
  const drop = { blocks: removedBlocks, ...droppedSublayers };
  const word = removedBlocks.length === 0 ? '' : removedBlocks.length === 1 ? 'block ' : 'blocks ';
  const cut = isEmpty(drop) ? original : `${original} without ${word}${dropSetInWords(drop)}`;
  return [cut, ...changes].join(', ');
}

/** The file's content beside an adapter. */
export const recordText = (base: BaseRecord): string =>
  `${JSON.stringify({ format: 1, kind: 'adapter', base }, null, 2)}\n`;

/** @throws UserError `damagedCheckpoint`. */
export function parseRecord(text: string, path: string): BaseRecord {
  try {
    const result = record.safeParse(JSON.parse(text));
    if (result.success) return result.data.base;
  } catch {
    // refused below
  }
  throw new UserError(
    'damagedCheckpoint',
    `${path} is not what a healing writes beside its adapter; delete it, and nobody knows which model the adapter is for.`,
  );
}

const record = z.object({ format: z.literal(1), kind: z.literal('adapter'), base: baseRecord });

const nNumbers = 512;

/** Rounded, so that the same weights in a wider dtype have the same print. */
async function printOf({ weights, readBytes }: Checkpoint): Promise<string> {
  const hash = createHash('sha256');
  for (const name of [...weights.keys()].sort()) {
    const { dtype, shape, nBytes } = weights.get(name)!;
    const bytes = await readBytes(name, 0, Math.min(nBytes, nNumbers * bytesPerWeight[dtype]));
    hash.update(`${name} ${shape}\n`).update(rounded(bytes, dtype));
  }
  return hash.digest('hex');
}

function rounded(bytes: Uint8Array, dtype: WeightDtype): Uint8Array {
  if (dtype === 'BF16') return bytes;
  const copy = bytes.slice().buffer;
  const n = bytes.length / bytesPerWeight[dtype];
  const floats = dtype === 'F32' ? new Float32Array(copy) : new Float32Array(n);
  if (dtype === 'F64') roundInto(new Float64Array(copy), floats);
  else if (dtype !== 'F32') widenInto(dtype, new Uint16Array(copy), floats);
  const halves = new Uint16Array(n);
  narrowInto('BF16', floats, halves);
  return new Uint8Array(halves.buffer);
}
