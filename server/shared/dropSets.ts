// Drop sets: what is left out of a model. Their canonical form is sorted and distinct, and a block that loses both of its
// sublayers counts as a block. People write `3,5,8-10` for five blocks, both ends included. Pure.
import { UserError } from '../errors';
import type { DropSet } from '../protocol/recipes';
import type { BlockOrSublayer } from '../protocol/reports';
import { sublayerNames, sublayers } from './sublayers';

/** Reads a list such as `3,5,8-10`. Throws UserError('usage') for anything else. */
export function parseBlockList(text: string): number[] {
  const blocks = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!match || last < first)
      throw new UserError('usage', `"${text}" is not a list of blocks; write numbers and ranges such as 3,5,8-10.`);
    for (let block = first; block <= last; block++) blocks.add(block);
  }
  return sorted([...blocks]);
}

/** Reads a drop set such as `3,5,8-10,12a,20-22m`: blocks, attention of 12, MLP of 20 to 22. Throws UserError('usage'). */
export function parseDropSet(text: string): DropSet {
  const drop: DropSet = { blocks: [], attention: [], mlp: [] };
  for (const part of text.split(',')) {
    const [, list, suffix] = /^\s*([\d\s-]*\d)\s*([am]?)\s*$/.exec(part) ?? [];
    if (list === undefined)
      throw new UserError(
        'usage',
        `"${text}" is not a drop set; write blocks such as 3,5,8-10, with a or m behind them for attention or MLP alone, such as 12a.`,
      );
    drop[suffix === 'a' ? 'attention' : suffix === 'm' ? 'mlp' : 'blocks'].push(...parseBlockList(list));
  }
  return normalized(drop);
}

/** For those who only read one. */
type ReadonlyDropSet = { readonly [List in keyof DropSet]: readonly number[] };

export const emptyDropSet: DropSet = { blocks: [], attention: [], mlp: [] };

/** A drop set of whole blocks alone. */
export const ofBlocks = (blocks: readonly number[]): DropSet => ({ blocks: sorted(blocks), attention: [], mlp: [] });

/** Of blocks and sublayers one by one, as a search leaves them out. */
export const dropSetOf = (units: readonly BlockOrSublayer[]): DropSet =>
  normalized(units.reduce(withDropped, emptyDropSet));

/** With a block or sublayer more; not in canonical form, since a block may then stand in both lists of sublayers. */
export function withDropped(drop: DropSet, unit: BlockOrSublayer): DropSet {
  if (typeof unit === 'number') return { ...drop, blocks: [...drop.blocks, unit] };
  return { ...drop, [unit.half]: [...drop[unit.half], unit.block] };
}

export const blockOf = (unit: BlockOrSublayer): number => (typeof unit === 'number' ? unit : unit.block);

/** How many blocks and sublayers it names. */
export const nDropped = ({ blocks, attention, mlp }: ReadonlyDropSet): number =>
  blocks.length + attention.length + mlp.length;
export const isEmpty = (drop: ReadonlyDropSet): boolean => nDropped(drop) === 0;

/** The same for equal drop sets in canonical form. */
export const keyOf = ({ blocks, attention, mlp }: DropSet): string =>
  [blocks, attention, mlp].map((list) => list.join(',')).join(';');

/** Without what it names of these blocks. */
export const withoutBlocks = ({ blocks, attention, mlp }: DropSet, kept: readonly number[]): DropSet => {
  const rest = (list: readonly number[]) => list.filter((block) => !kept.includes(block));
  return { blocks: rest(blocks), attention: rest(attention), mlp: rest(mlp) };
};

/** As a command line takes it: [3, 5, 8, 9, 10] is `3,5,8-10`; `none` for no block. */
export const formatBlockList = (blocks: readonly number[]): string =>
  runsOf(blocks)
    .map(([first, last]) =>
      last - first === 0 ? `${first}` : last - first === 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(',') || 'none';

/** `12-16; attention 3,5; mlp 20`, or `nothing`: in labels, on the terminal and in reports. */
export function formatDropSet(drop: DropSet): string {
  const parts = [
    ...(drop.blocks.length > 0 ? [formatBlockList(drop.blocks)] : []),
    ...sublayers.flatMap((sublayer) =>
      drop[sublayer].length > 0 ? [`${sublayer} ${formatBlockList(drop[sublayer])}`] : [],
    ),
  ];
  return parts.join('; ') || 'nothing';
}

/** In sentences: `13–15, 17, 26`. */
export const blockRanges = (blocks: readonly number[]): string =>
  runsOf(sorted(blocks))
    .map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`))
    .join(', ');

/** In sentences: `12–16`, `MLP of 11`; empty for an empty one. */
export const dropSetParts = (drop: ReadonlyDropSet): string[] => [
  ...(drop.blocks.length > 0 ? [blockRanges(drop.blocks)] : []),
  ...sublayers.flatMap((sublayer) =>
    drop[sublayer].length > 0 ? [`${sublayerNames[sublayer]} of ${blockRanges(drop[sublayer])}`] : [],
  ),
];

/** `12–16 + MLP of 11`, or `nothing`. */
export const dropSetInWords = (drop: ReadonlyDropSet): string => dropSetParts(drop).join(' + ') || 'nothing';

/** Ranges of consecutive numbers of a sorted list, both ends included. */
function runsOf(blocks: readonly number[]): [first: number, last: number][] {
  const runs: [number, number][] = [];
  for (const block of blocks) {
    const run = runs.at(-1);
    if (run && run[1] === block - 1) run[1] = block;
    else runs.push([block, block]);
  }
  return runs;
}

/** The canonical form. Throws UserError('badChoice') when it names blocks that the model lacks, or leaves none. */
export function checkDropSet(drop: DropSet, nBlocks: number): DropSet {
  const attention = checkBlocks(drop.attention, nBlocks);
  const mlp = checkBlocks(drop.mlp, nBlocks);
  const used = normalized({ blocks: checkBlocks(drop.blocks, nBlocks), attention, mlp });
  if (used.blocks.length >= nBlocks)
    throw new UserError('badChoice', `Dropping all ${nBlocks} blocks leaves no model; keep at least one.`);
  return used;
}

/** The canonical form. */
export function normalized({ blocks, attention, mlp }: DropSet): DropSet {
  const whole = sorted([...blocks, ...attention.filter((k) => mlp.includes(k))]);
  const rest = (list: readonly number[]) => sorted(list).filter((k) => !whole.includes(k));
  return { blocks: whole, attention: rest(attention), mlp: rest(mlp) };
}

function checkBlocks(blocks: readonly number[], nBlocks: number): number[] {
  const outside = sorted(blocks).find((block) => block >= nBlocks || block < 0 || !Number.isInteger(block));
  if (outside !== undefined)
    throw new UserError(
      'badChoice',
      `There is no block ${outside}: the model has ${nBlocks} blocks, 0 to ${nBlocks - 1}.`,
    );
  return sorted(blocks);
}

const sorted = (list: readonly number[]): number[] => [...new Set(list)].sort((a, b) => a - b);
