// The power is lost at seeded moments, and what lay in memory comes to the disk in part, in any order, or not at all.
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { long } from '../fixtures';
import { scenarios } from './commands';
import { installFaults } from './layer';
import { writeAfterLoss } from './powerLoss';
import { liveOn, makeData, type Told, wrongAfter } from './runStore';
import { hashOf } from './sweep';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'power-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const nMoments = long ? 1000 : 100;

describe('after a loss of power', () => {
  it(`a pruned model is whole or absent, at ${nMoments} moments`, async () => {
    const pruning = scenarios.find(({ name }) => name === 'prune')!;
    const folder = join(root, 'prune');
    mkdirSync(join(folder, 'in'), { recursive: true });
    await pruning.prepare(folder);
    const inputs = hashOf(join(folder, 'in'));
    const layer = installFaults(folder);
    const ended = await pruning.run(folder).finally(layer.remove);
    expect(ended).toEqual({ done: true });
    const whole = pruning.result(folder);
    expect(hashOf(join(folder, 'in'))).toBe(inputs);
    const random = mulberry32(3);
    const found = { whole: 0, absent: 0 };
    const { entries } = layer.journal;
    for (let n = 0; n < nMoments; n++) {
      const to = join(root, 'state');
      // The last moment is that after all of it.
      const cut = n === 0 ? entries.length : Math.floor(random() * (entries.length + 1));
      writeAfterLoss(entries.slice(0, cut), folder, to, random);
      const isThere = existsSync(join(to, 'pruned'));
      if (isThere) expect(pruning.result(to), `cut at ${cut} of ${entries.length}`).toBe(whole);
      if (n === 0) expect(isThere).toBe(true);
      found[isThere ? 'whole' : 'absent']++;
      rmSync(to, { recursive: true });
    }
    console.log(`${nMoments} losses of power during prune: ${found.whole} whole, ${found.absent} absent`);
    expect(Math.min(found.whole, found.absent)).toBeGreaterThan(0);
  });

  it(`every run that was accepted is listed, at ${nMoments} moments`, async () => {
    const data = makeData(join(root, 'runs'));
    const layer = installFaults(data);
    await liveOn(data, (told) => layer.journal.add({ op: 'told', what: structuredClone(told) })).finally(layer.remove);
    const { entries } = layer.journal;
    const random = mulberry32(5);
    const wrong: string[] = [];
    for (let n = 0; n < nMoments; n++) {
      const cut = n === 0 ? entries.length : Math.floor(random() * (entries.length + 1));
      const before = entries.slice(0, cut);
      const to = join(root, `runs-${n}`);
      writeAfterLoss(before, data, to, random);
      const told = before.findLast((entry) => entry.op === 'told')?.what as Told | undefined;
      // What came last, and was not synced, may be lost; it is not said to be something else.
      if (told)
        for (const each of wrongAfter(to, told))
          if (!/event \d+ is (lost|another)/.test(each)) wrong.push(`cut at ${cut}: ${each}`);
    }
    expect(wrong).toEqual([]);
  });
});
