// 200,000 further inputs for all that reads files and messages of others; the short tests have 20,000. It prints the counts, the
// slowest and the largest.
import { describe, expect, it } from 'vitest';
import { campaign, inWords } from '../fuzz/campaign';
import { targets } from '../fuzz/targets';

describe('200,000 inputs', () => {
  it.each(targets)('$name: ten times $share', async (target) => {
    const summary = await campaign(target, 10 * target.share, 1_000_000);
    console.log(`${target.name}: ${inWords(summary)}`);
    expect(summary.findings).toEqual([]);
  });
});
