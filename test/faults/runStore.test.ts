// Every n-th call of every kind fails while runs are started, told events of, cancelled, resumed, ended and deleted.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { installFaults } from './layer';
import type { Fault } from './kinds';
import { liveOn, makeData, partialsIn, wrongAfter } from './runStore';
import { faultsOf } from './sweep';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'faults-runs-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let nFolders = 0;

async function withFault(fault: Fault | null) {
  const data = makeData(join(root, String(nFolders++)));
  const layer = installFaults(data, fault);
  const told = await liveOn(data).finally(layer.remove);
  return { data, told, layer };
}

describe('the run store', () => {
  it('does all of it where nothing fails', async () => {
    const { data, told } = await withFault(null);
    expect(told.said).toEqual([]);
    expect([told.accepted.size, told.deleted.size]).toEqual([2, 1]);
    expect(wrongAfter(data, told)).toEqual([]);
    expect(partialsIn(data)).toEqual([]);
  });

  it('keeps what it told, and says the rest in a sentence, whichever call fails', async () => {
    const { layer } = await withFault(null);
    const faults = faultsOf(layer.counts);
    const wrong: string[] = [];
    for (const fault of faults) {
      const { data, told, layer: failing } = await withFault(fault);
      const found = wrongAfter(data, told);
      for (const said of told.said)
        if (!/^[^\n]+[.?]$/.test(said) || !(said.includes(data) || /^There is no run/.test(said)))
          found.push(`no sentence with a path: ${said.slice(0, 300)}`);
      await liveOn(data);
      const left = partialsIn(data);
      if (left.length > 0) found.push(`left: ${left}`);
      if (found.length > 0) wrong.push(`${JSON.stringify(fault)} ${failing.hit()}\n    ${found.join('\n    ')}`);
    }
    const counts = [...layer.counts].map(([kind, n]) => `${n} ${kind}`).join(', ');
    console.log(`run store: ${counts}; ${faults.length} faults`);
    expect(wrong.join('\n')).toBe('');
    expect(faults.length).toBeGreaterThan(100);
  });
});
