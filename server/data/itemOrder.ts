// Which items a step takes: pass after pass over all of them, without end. Pure; a resumed run asks for its step directly.
import { drawn } from './random';

export interface ItemOrder {
  /** The index of the item at a position counted from 0 over all passes. Fastest while it stays in one pass. */
  at(position: number): number;
}

/** `shuffled`: every pass takes all items in an order of its own, which depends on the seed and the pass alone. */
export function openOrder(order: 'sequential' | 'shuffled', nItems: number, seed: number): ItemOrder {
  if (!(nItems > 0)) throw new Error(`an order of ${nItems} items`);
  if (order === 'sequential') return { at: (position) => position % nItems };
  let known = { pass: -1, items: [] as number[] };
  return {
    at(position) {
      const pass = Math.floor(position / nItems);
      if (pass !== known.pass) known = { pass, items: drawn(nItems, nItems, seedOfPass(seed, pass)) };
      return known.items[position % nItems] ?? 0;
    },
  };
}

// 2^32 over the golden ratio, odd: every pass has another seed, and none is the seed itself, which draws the held-out items.
const seedOfPass = (seed: number, pass: number): number => seed ^ Math.imul(pass + 1, 0x9e3779b1);
