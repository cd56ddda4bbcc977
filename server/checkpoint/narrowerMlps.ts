// MLPs with fewer channels: which rows and columns of a block's weights stay, and a weight's numbers without the others. A
// channel is a row of gate and of up (with their biases), and a column of down.
import { outputProjections } from '../model/weights';

/** The channels that stay, by block of the source: ascending, and as many in every block. */
export interface NarrowerMlps {
  readonly width: number;
  readonly kept: ReadonlyMap<number, readonly number[]>;
}

/** What stays of a weight. */
export interface Cut {
  readonly along: 'rows' | 'columns';
  readonly kept: readonly number[];
}

/** null: all of it. */
export function cutOf(suffix: string, kept: readonly number[], mlpWidth: number): Cut | null {
  const [, layer, part] = /^mlp\.(\w+)\.(weight|bias)$/.exec(suffix) ?? [];
  if (layer === 'gate_proj' || layer === 'up_proj') return { along: 'rows', kept };
  // Gate and up one below the other.
  if (layer === 'gate_up_proj') return { along: 'rows', kept: [...kept, ...kept.map((channel) => mlpWidth + channel)] };
  const isDown = layer !== undefined && `mlp.${layer}` === outputProjections.mlp && part === 'weight';
  return isDown ? { along: 'columns', kept } : null;
}

export const shapeAfter = (shape: readonly number[], { along, kept }: Cut): number[] =>
  along === 'rows' ? [kept.length, ...shape.slice(1)] : [shape[0]!, kept.length];

/** Whole rows of a weight that lie in memory, one after another. */
export interface Rows {
  readonly first: number;
  /** How many elements of the array a row has. */
  readonly length: number;
  /** How many elements of the array a number has: of bytes as many as its dtype takes. */
  readonly unit: number;
}

/** What stays of some rows, in `target`, which may be the same memory. */
export function keptOf<Numbers extends Uint8Array | Float32Array>(
  source: Numbers,
  target: Numbers,
  { first, length, unit }: Rows,
  { along, kept }: Cut,
): Numbers {
  const nRows = source.length / length;
  let end = 0;
  const take = (start: number, n: number) => {
    target.set(source.subarray(start, start + n), end);
    end += n;
  };
  if (along === 'rows') {
    for (const row of kept) if (row >= first && row < first + nRows) take((row - first) * length, length);
  } else
    for (let row = 0; row < nRows; row++)
      for (const [start, n] of runsOf(kept)) take(row * length + start * unit, n * unit);
  return target.subarray(0, end) as Numbers;
}

const known = new WeakMap<readonly number[], [start: number, n: number][]>();

/** Neighbours are copied together. */
function runsOf(kept: readonly number[]): [start: number, n: number][] {
  const found = known.get(kept);
  if (found) return found;
  const runs: [number, number][] = [];
  for (const channel of kept) {
    const run = runs.at(-1);
    if (run && run[0] + run[1] === channel) run[1]++;
    else runs.push([channel, 1]);
  }
  known.set(kept, runs);
  return runs;
}
