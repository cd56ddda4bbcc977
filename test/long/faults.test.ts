// Every n-th call of every kind fails, one after another; how many there were is printed.
import { describe, expect, it } from 'vitest';
import { scenarios } from '../faults/commands';
import { sweep, told } from '../faults/sweep';

describe('every call that can fail', () => {
  it.each(scenarios)('during $name', { timeout: 4 * 3_600_000 }, async (scenario) => {
    const swept = await sweep(scenario, (all) => all);
    console.log(told(swept));
    expect(swept.nFaults).toBeGreaterThan(100);
    expect(swept.wrong).toEqual([]);
  });
});
