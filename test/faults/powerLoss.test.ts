// The power is lost at seeded moments of a command, and what lay in memory comes to the disk in part, in any order, or not at all.
import { describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { long } from '../fixtures';
import { computing } from './commands';
import { writeAfterLoss } from './powerLoss';
import { goneOnWith, rehearsed, resultOf } from './rehearsal';

const nMoments = (name: string): number => (long ? 200 : name === 'prune' ? 40 : 8);

describe('after a loss of power', () => {
  it.each(computing.map((scenario) => ({ ...scenario, n: nMoments(scenario.name) })))(
    '$name has made what it makes or goes on, at $n moments',
    async ({ n: nLosses, ...scenario }) => {
      const { wrong, found } = await rehearsed(scenario, async (rehearsal) => {
        const { folder, template, whole } = rehearsal;
        const { entries } = whole.journal;
        const random = mulberry32(3);
        const wrong: string[] = [];
        const found = { whole: 0, partly: 0 };
        for (let n = 0; n < nLosses; n++) {
          // The last moment is that after all of it, when it is said to be done.
          const cut = n === 0 ? entries.length : Math.floor(random() * (entries.length + 1));
          writeAfterLoss({ entries: entries.slice(0, cut), folder, before: template }, folder, random);
          const isDone = cut === entries.length;
          const ended = isDone ? { done: true as const } : { done: false as const, said: 'the power was lost' };
          found[resultOf(scenario, folder) === null ? 'partly' : 'whole']++;
          const each = await goneOnWith(rehearsal, ended);
          if (each.length > 0) wrong.push(`cut at ${cut} of ${entries.length}: ${each.join('; ')}`);
        }
        return { wrong, found };
      });
      console.log(`${nLosses} losses of power during ${scenario.name}: ${found.whole} whole, ${found.partly} in part`);
      expect(found.partly).toBeGreaterThan(0);
      expect(wrong).toEqual([]);
    },
  );
});
