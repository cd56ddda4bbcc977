// Calls of every kind fail in turn: every one of prune, heal and heal --resume, and of the many of a study some, evenly spread over all;
// of each command as many as ESPALIER_FAULTS says, every one where it says `all`, or every third from the second on where it says
// `1/3`. How many there were is printed.
import { describe, expect, it } from 'vitest';
import { scenarios } from '../faults/commands';
import type { Fault } from '../faults/kinds';
import { sweep, told } from '../faults/sweep';

const every = Number.POSITIVE_INFINITY;
const wanted = process.env.ESPALIER_FAULTS;
const mostOf = (name: string): number =>
  wanted === undefined ? (name === 'study' ? 300 : every) : wanted === 'all' ? every : Number(wanted);

const [from, ofEach] =
  /^(\d+)\/(\d+)$/
    .exec(wanted ?? '')
    ?.slice(1)
    .map(Number) ?? [];
const shareOf = (all: readonly Fault[]) => all.filter((_, i) => i % ofEach! === from);

const spread = (nMost: number) => (all: readonly Fault[]) => {
  const step = Math.max(1, all.length / nMost);
  return all.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
};

describe('calls that fail', () => {
  it.each(scenarios)('during $name', { timeout: 3_600_000 }, async (scenario) => {
    const swept = await sweep(scenario, ofEach ? shareOf : spread(mostOf(scenario.name)));
    console.log(told(swept));
    expect(swept.nFaults).toBeGreaterThan(0);
    expect(swept.wrong).toEqual([]);
  });
});
