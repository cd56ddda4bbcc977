// Whether a pruned model is an original without some of its blocks, weight for weight. Then it need not be read: it is a shorter
// path through the original.
import type { ModelConfig } from '../model/config';
import { blockWeightName, blockWeights, embeddingName, finalNormName, headName } from '../model/weights';
import type { Path } from '../model/path';
import type { Checkpoint } from './checkpoint';

/** The path through `base` that computes what `variant` does; null where a weight differs, or nothing says it was cut from it. */
export async function pathWithinBase(base: Checkpoint, variant: Checkpoint): Promise<Path | null> {
  const kept = keptOfBase(base, variant);
  if (!kept || frame(base.config) !== frame(variant.config)) return null;
  const { blocks } = variant.config;
  for (const [k, { sublayers: _, ...rest }] of blocks.entries()) {
    const { sublayers: ofBase, ...expected } = base.config.blocks[kept[k]!]!;
    if (ofBase !== 'whole' || JSON.stringify(rest) !== JSON.stringify(expected)) return null;
  }
  const outside = [embeddingName, finalNormName, headName].filter((name) => variant.weights.has(name));
  const names = [
    ...blocks.flatMap(({ sublayers }, k) =>
      blockWeights(variant.config, sublayers).map(({ suffix }) => ({
        ofBase: blockWeightName(kept[k]!, suffix),
        ofVariant: blockWeightName(k, suffix),
      })),
    ),
    ...outside.map((name) => ({ ofBase: name, ofVariant: name })),
  ];
  for (const { ofBase, ofVariant } of names) if (!(await isEqual(base, ofBase, variant, ofVariant))) return null;
  return blocks.map(({ sublayers }, k) => ({ block: kept[k]!, sublayers }));
}

/** The block of the original that each block of the variant was, by what both say of their origin. */
function keptOfBase(base: Checkpoint, variant: Checkpoint): number[] | null {
  if (!variant.provenance) return null;
  const original = base.provenance?.keptBlocks ?? base.config.blocks.map((_, k) => k);
  const nOriginal = base.provenance?.baseModel.nBlocks ?? base.config.nBlocks;
  if (variant.provenance.baseModel.nBlocks !== nOriginal) return null;
  const kept = variant.provenance.keptBlocks.map((block) => original.indexOf(block));
  return kept.includes(-1) ? null : kept;
}

/** All of a configuration that is not about single blocks. */
const frame = ({ blocks: _, nBlocks: __, ...rest }: ModelConfig): string => JSON.stringify(rest);

async function isEqual(a: Checkpoint, nameA: string, b: Checkpoint, nameB: string): Promise<boolean> {
  const [entryA, entryB] = [a.weights.get(nameA), b.weights.get(nameB)];
  if (!entryA || !entryB || entryA.dtype !== entryB.dtype || entryA.nBytes !== entryB.nBytes) return false;
  const chunkBytes = 2 ** 22;
  for (let start = 0; start < entryA.nBytes; start += chunkBytes) {
    const length = Math.min(chunkBytes, entryA.nBytes - start);
    const [bytesA, bytesB] = [await a.readBytes(nameA, start, length), await b.readBytes(nameB, start, length)];
    if (Buffer.compare(bytesA, bytesB) !== 0) return false;
  }
  return true;
}
