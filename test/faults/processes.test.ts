// An engine that dies at a call, or cannot be started, over everything that is swept: the command says so in a sentence, and the next
// one ends as if nothing had been.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { long } from '../fixtures';
import { computing } from './commands';
import { type CallKind, death, type Fault, failures } from './kinds';
import { openPreload, type Preload, ranWith } from './processes';
import { goneOnWith, rehearsed } from './rehearsal';

let preload: Preload;
beforeAll(() => {
  preload = openPreload();
});
afterAll(() => preload[Symbol.dispose]());

/** At calls that change the disk, since nothing is lost between two of them. */
const lastCalls: readonly CallKind[] = ['create', 'write', 'fsync', 'rename', 'unlink', 'mkdir'];
const nDeaths = long ? 40 : 1;
/** The others are of the same parts. */
const tried = long ? computing : computing.filter(({ name }) => ['heal', 'study'].includes(name));

function deathsAmong(counts: Readonly<Record<string, number>>): Fault[] {
  const all = lastCalls.flatMap((kind) =>
    Array.from({ length: counts[kind] ?? 0 }, (_, n) => ({ kind, n, how: death })),
  );
  const random = mulberry32(23);
  return Array.from({ length: nDeaths }, () => all[Math.floor(random() * all.length)]!);
}

const starts = failures.start.map((how): Fault => ({ kind: 'start', n: 0, how }));

const sentences = {
  engine: /^espalier: The engine was killed from outside, most likely because memory ran out; [^\n]+\.$/,
  espalier: /^espalier: The engine cannot be started \(\w+\): [^\n]+\.$/,
};

describe('an engine that dies or is not started', () => {
  it.each(tried)('during $name', (scenario) =>
    rehearsed(scenario, async (rehearsal) => {
      const { folder, renew } = rehearsal;
      const renewed = async (of: { program: keyof typeof sentences; fault: Fault | null }) => {
        renew();
        return ranWith(preload, scenario.command(folder), folder, of);
      };
      expect(await renewed({ program: 'engine', fault: null })).toEqual({ done: true });
      const deaths = deathsAmong(preload.counts()!);
      const rows = [
        ...deaths.map((fault) => ({ program: 'engine' as const, fault })),
        ...(long ? starts : [starts[computing.indexOf(scenario) % starts.length]!]).map((fault) => ({
          program: 'espalier' as const,
          fault,
        })),
      ];
      const wrong: string[] = [];
      for (const row of rows) {
        const ended = await renewed(row);
        const found = await goneOnWith(rehearsal, ended);
        if (ended.done) found.push('said to be done');
        else if (!sentences[row.program].test(ended.said.trimEnd())) found.push(`said: ${ended.said}`);
        if (found.length > 0) wrong.push(`${row.program} ${JSON.stringify(row.fault)}: ${found.join('; ')}`);
      }
      console.log(
        `${scenario.name}: ${deaths.length} deaths of the engine, ${rows.length - deaths.length} failed starts`,
      );
      expect(wrong).toEqual([]);
    }),
  );
});
