// The choice of a person: what is dropped and what is protected. Every edit returns a new choice whose drop set is in
// canonical form and names no protected block.
import type { DropSet } from '../../server/protocol/recipes';
import { normalized, withoutBlocks } from '../../server/shared/dropSets';
import type { Sublayer } from '../../server/shared/sublayers';

/** A row that can be dropped: a block, or the sublayer of one. */
export interface Row {
  readonly block: number;
  readonly sublayer: Sublayer | null;
}

export interface Choice {
  readonly drop: DropSet;
  readonly protected: readonly number[];
}

export const span = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

export const isRow = (a: Row, b: Row): boolean => a.block === b.block && a.sublayer === b.sublayer;

/** Blocks that are one span of at most so many neighbours; null where they are not. */
export function takenSpan(drop: readonly number[], most: number): { first: number; count: number } | null {
  const [first, last] = [drop[0], drop.at(-1)];
  if (first === undefined || last! - first !== drop.length - 1 || drop.length > most) return null;
  return { first, count: drop.length };
}

/** A sublayer is dropped with its block. */
export const isDropped = (drop: DropSet, { block, sublayer }: Row): boolean =>
  drop.blocks.includes(block) || (sublayer !== null && drop[sublayer].includes(block));

export function setRows(choice: Choice, rows: readonly Row[], dropped: boolean): Choice {
  const free = rows.filter(({ block }) => !choice.protected.includes(block));
  const drop = { ...choice.drop };
  for (const { block, sublayer } of free) {
    if (sublayer !== null && drop.blocks.includes(block)) continue;
    const list = sublayer ?? 'blocks';
    drop[list] = dropped ? [...drop[list], block] : drop[list].filter((other) => other !== block);
  }
  return { ...choice, drop: normalized(drop) };
}

export const toggle = (choice: Choice, row: Row): Choice => setRows(choice, [row], !isDropped(choice.drop, row));

/** All blocks from one end to the other, whichever is first. */
export function setRange(choice: Choice, from: number, to: number, dropped: boolean): Choice {
  const first = Math.min(from, to);
  const rows = span(first, Math.abs(to - from) + 1).map((block): Row => ({ block, sublayer: null }));
  return setRows(choice, rows, dropped);
}

/** Drops exactly this set, without the protected blocks in it. */
export const take = (choice: Choice, drop: DropSet): Choice => ({
  ...choice,
  drop: withoutBlocks(normalized(drop), choice.protected),
});

/** Protects blocks, which are then kept, or unprotects them. */
export function protect(choice: Choice, blocks: readonly number[], protect: boolean): Choice {
  const kept = choice.protected.filter((block) => !blocks.includes(block));
  const next = sorted(protect ? [...kept, ...blocks] : kept);
  return { drop: withoutBlocks(choice.drop, next), protected: next };
}

/** A choice that was stored elsewhere, without the blocks that a model of `nBlocks` does not have. */
export function fitting(choice: Choice, nBlocks: number): Choice {
  const inside = (list: readonly number[]) => list.filter((k) => Number.isInteger(k) && k >= 0 && k < nBlocks);
  const { blocks, attention, mlp } = choice.drop;
  const kept = sorted(inside(choice.protected));
  const drop = normalized({ blocks: inside(blocks), attention: inside(attention), mlp: inside(mlp) });
  return { drop: withoutBlocks(drop, kept), protected: kept };
}

const sorted = (list: readonly number[]): number[] => [...new Set(list)].sort((a, b) => a - b);
