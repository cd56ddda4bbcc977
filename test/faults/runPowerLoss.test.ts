// The power is lost at seeded moments of the life of a server's runs, and the next server goes on with them.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { long } from '../fixtures';
import { installFaults } from './layer';
import { writeAfterLoss } from './powerLoss';
import { liveOn, makeData, type Told, wrongAfterLoss } from './runStore';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'power-runs-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const nMoments = long ? 1000 : 100;

it(`every run that was accepted is listed, and no number is given to two events, at ${nMoments} moments`, async () => {
  const data = makeData(root);
  const layer = installFaults(data);
  await liveOn(data, (told) => layer.journal.add({ op: 'told', what: structuredClone(told) })).finally(layer.remove);
  const { entries } = layer.journal;
  const random = mulberry32(5);
  const wrong: string[] = [];
  let nTold = 0;
  for (let n = 0; n < nMoments; n++) {
    const cut = n === 0 ? entries.length : Math.floor(random() * (entries.length + 1));
    const before = entries.slice(0, cut);
    const to = join(root, `${n}`);
    writeAfterLoss({ entries: before, folder: data, before: null }, to, random);
    const told = before.findLast((entry) => entry.op === 'told')?.what as Told | undefined;
    if (!told) continue;
    nTold += [...told.events.values()].flat().length;
    for (const each of await wrongAfterLoss(to, told)) wrong.push(`cut at ${cut}: ${each}`);
  }
  console.log(`${nMoments} losses of power during runs: ${nTold} events that had been told before`);
  expect(nTold).toBeGreaterThan(nMoments);
  expect(wrong).toEqual([]);
});
