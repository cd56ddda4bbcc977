// Calls of every kind fail, one after another: 150 of each command, evenly spread over all that there are, or as many as
// ESPALIER_FAULTS says, or every single one where it says `all`, which takes hours. How many there were is printed.
import { describe, expect, it } from 'vitest';
import { scenarios } from '../faults/commands';
import type { Fault } from '../faults/kinds';
import { sweep, told } from '../faults/sweep';

const wanted = process.env.ESPALIER_FAULTS ?? '150';
const nMost = wanted === 'all' ? Number.POSITIVE_INFINITY : Number(wanted);

const spread = (all: readonly Fault[]): readonly Fault[] => {
  const step = Math.max(1, all.length / nMost);
  return all.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
};

describe('calls that fail', () => {
  it.each(scenarios)('during $name', { timeout: 4 * 3_600_000 }, async (scenario) => {
    const swept = await sweep(scenario, spread);
    console.log(told(swept));
    expect(swept.nFaults).toBeGreaterThan(100);
    expect(swept.wrong).toEqual([]);
  });
});
