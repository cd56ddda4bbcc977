// What drivers say of a card's memory, from folders and programs like theirs.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { amdCards, nvidiaCards } from '../../server/execution/cardMemory';
import { limitsOf } from '../../server/execution/memoryLimits';
import { compute } from '../../server/protocol/recipes';

const root = mkdtempSync(join(tmpdir(), 'card-memory-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the kernel', () => {
  const cards: Record<string, string> = {
    card0: '17163091968\n',
    card1: '0\n',
    'card0-HDMI-A-1': '5\n',
    renderD128: '7\n',
  };
  for (const [name, text] of Object.entries(cards)) {
    mkdirSync(join(root, 'drm', name, 'device'), { recursive: true });
    writeFileSync(join(root, 'drm', name, 'device/mem_info_vram_total'), text);
  }
  mkdirSync(join(root, 'drm/card2'));
  it('tells of the cards that have some', () => expect(amdCards(join(root, 'drm'))).toEqual([17163091968]));
  it('tells nothing where there is no card', () => expect(amdCards(join(root, 'none'))).toEqual([]));
});

describe('nvidia-smi', () => {
  const rows: [string, string, number[]][] = [
    ['two cards', 'echo 24564; echo 8192', [24564 * 2 ** 20, 8192 * 2 ** 20]],
    ['one that does not know', 'echo "[N/A]"', []],
    ['a failure', 'echo "NVIDIA-SMI has failed"; exit 9', []],
  ];
  it.each(rows)('%s', (name, script, expected) => {
    const program = join(root, name.replaceAll(' ', '-'));
    writeFileSync(program, `#!/bin/sh\n${script}\n`);
    chmodSync(program, 0o755);
    expect(nvidiaCards(program)).toEqual(expected);
  });
  it('none is there', () => expect(nvidiaCards(join(root, 'none'))).toEqual([]));
});

describe('the limits of a run', () => {
  const given = compute.parse({ memoryLimitBytes: 5e9, deviceMemoryBytes: 2e9 });
  it.each([
    ['cpu', null],
    ['auto', null],
    ['webgpu', { limitBytes: 2e9, ofHost: false }],
  ] as const)('on %s', (device, expected) =>
    expect(limitsOf({ ...given, device })).toEqual({ limitBytes: 5e9, device: expected }),
  );
});
