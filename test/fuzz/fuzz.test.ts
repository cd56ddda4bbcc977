// 20,000 inputs for all that reads files and messages of others: each becomes a value or a sentence within 2 s of the processor and
// 500 MB beyond its size. ESPALIER_FUZZ=TARGET:SEED writes that input to a file, to look at it.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { campaign, inWords, keepInput } from './campaign';
import { targets } from './targets';

describe('20,000 inputs', () => {
  it('are so many', () => expect(targets.reduce((sum, { share }) => sum + share, 0)).toBe(20_000));

  it.each(targets)('$name: $share', async (target) => {
    const summary = await campaign(target, target.share);
    console.log(`${target.name}: ${inWords(summary)}`);
    expect(summary.findings).toEqual([]);
    // An oracle that sees only refusals would say nothing about what is behind the first check.
    expect(summary.nAccepted).toBeGreaterThan(0);
  });
});

const [name, seed] = process.env.ESPALIER_FUZZ?.split(':') ?? [];
// Not a test: a person who names an input gets it as a file.
if (name)
  it('one input is written', () => {
    const target = targets.find((each) => each.name === name)!;
    const file = join(tmpdir(), `fuzz-input-${seed}`);
    keepInput(target, Number(seed), file);
    console.log(file);
  });
