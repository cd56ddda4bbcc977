// The same surgery as a mergekit recipe, for people who want to repeat it with mergekit.
import { Document } from 'yaml';
import type { Dtype } from '../protocol/recipes';

/**
 * A passthrough merge that keeps every block except the drop set (ascending, distinct, not all blocks).
 * mergekit's `layer_range` is half-open, as our ranges are.
 * @param dtype null: mergekit keeps the model's own
 */
export function toMergekitYaml(
  modelName: string,
  nBlocks: number,
  dropSet: readonly number[],
  dtype: Dtype | null,
): string {
  const document = new Document();
  const slices = keptRanges(nBlocks, dropSet).map((range) => ({
    sources: [{ model: modelName, layer_range: document.createNode(range, { flow: true }) }],
  }));
  document.contents = document.createNode({
    slices,
    merge_method: 'passthrough',
    ...(dtype === null ? {} : { dtype: mergekitDtypes[dtype] }),
  });
  return document.toString({ lineWidth: 0 });
}

const mergekitDtypes = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' } as const satisfies Record<Dtype, string>;

/** The blocks that stay, as half-open ranges. */
function keptRanges(nBlocks: number, dropSet: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  let start = 0;
  for (const end of [...dropSet, nBlocks]) {
    if (end > start) ranges.push([start, end]);
    start = end + 1;
  }
  return ranges;
}
