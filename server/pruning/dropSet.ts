// Drop sets as people write them: `3,5,8-10` names five blocks, both ends included. In code they are sorted and distinct.
import { UserError } from '../errors';
import type { DropSet } from '../protocol/recipes';

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
  return [...blocks].sort((a, b) => a - b);
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

/** The shortest such list: [3, 5, 8, 9, 10] is `3,5,8-10`; `none` for no block. */
export function formatBlockList(blocks: readonly number[]): string {
  if (blocks.length === 0) return 'none';
  const runs: [number, number][] = [];
  for (const block of blocks) {
    const run = runs.at(-1);
    if (run && run[1] === block - 1) run[1] = block;
    else runs.push([block, block]);
  }
  return runs
    .map(([first, last]) =>
      last - first === 0 ? `${first}` : last - first === 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(',');
}

/** A drop set of whole blocks alone. */
export const ofBlocks = (blocks: readonly number[]): DropSet => ({ blocks: [...blocks], attention: [], mlp: [] });

export const isEmpty = ({ blocks, attention, mlp }: DropSet): boolean =>
  blocks.length + attention.length + mlp.length === 0;

/** `12-16; attention 3,5; mlp 20`, or `nothing`. */
export function formatDropSet(drop: DropSet): string {
  const parts = [
    ...(drop.blocks.length > 0 ? [formatBlockList(drop.blocks)] : []),
    ...(['attention', 'mlp'] as const).flatMap((half) =>
      drop[half].length > 0 ? [`${half} ${formatBlockList(drop[half])}`] : [],
    ),
  ];
  return parts.join('; ') || 'nothing';
}

/**
 * The drop set as it will be used: sorted, a block that loses both halves counted as a block. Throws
 * UserError('badChoice') when it names blocks the model lacks, or leaves none.
 */
export function checkDropSet(drop: DropSet, nBlocks: number): DropSet {
  const attention = checkBlocks(drop.attention, nBlocks);
  const mlp = checkBlocks(drop.mlp, nBlocks);
  const used = normalized({ blocks: checkBlocks(drop.blocks, nBlocks), attention, mlp });
  if (used.blocks.length >= nBlocks)
    throw new UserError('badChoice', `Dropping all ${nBlocks} blocks leaves no model; keep at least one.`);
  return used;
}

/** Sorted and distinct, a block that loses both halves counted as a block. */
export function normalized({ blocks, attention, mlp }: DropSet): DropSet {
  const sorted = (list: readonly number[]) => [...new Set(list)].sort((a, b) => a - b);
  const whole = sorted([...blocks, ...attention.filter((k) => mlp.includes(k))]);
  const inBlock = (k: number) => whole.includes(k);
  return {
    blocks: whole,
    attention: sorted(attention).filter((k) => !inBlock(k)),
    mlp: sorted(mlp).filter((k) => !inBlock(k)),
  };
}

function checkBlocks(blocks: readonly number[], nBlocks: number): number[] {
  const sorted = [...new Set(blocks)].sort((a, b) => a - b);
  const outside = sorted.find((block) => block >= nBlocks || block < 0 || !Number.isInteger(block));
  if (outside !== undefined)
    throw new UserError(
      'badChoice',
      `There is no block ${outside}: the model has ${nBlocks} blocks, 0 to ${nBlocks - 1}.`,
    );
  return sorted;
}
