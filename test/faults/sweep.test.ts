// A seeded share of the sweep; test/long/faults.test.ts does all of it.
import { describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { scenarios } from './commands';
import type { Fault } from './kinds';
import { sweep, told } from './sweep';

/** A few of each kind, drawn by a seed. */
function few(nPerKind: number, all: readonly Fault[]): Fault[] {
  const random = mulberry32(17);
  const order = all.map((fault) => ({ fault, at: random() })).sort((a, b) => a.at - b.at);
  return order
    .map(({ fault }) => fault)
    .filter((fault, i, drawn) => drawn.slice(0, i).filter(({ kind }) => kind === fault.kind).length < nPerKind);
}

describe('a call that fails', () => {
  it.each(scenarios)('during $name', async (scenario) => {
    const swept = await sweep(scenario, (all) => few(scenario.nPerKind, all));
    expect(swept.nRefused).toBeGreaterThan(0);
    expect(swept.wrong, told(swept)).toEqual([]);
  });
});
