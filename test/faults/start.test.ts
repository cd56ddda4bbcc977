// A process that cannot be started ends the work that needed it, in a sentence.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { startEngine } from '../../server/engineClient/engine';
import { failures } from './kinds';
import { installFaults } from './layer';

const root = mkdtempSync(join(tmpdir(), 'faults-start-'));
afterAll(() => rmSync(root, { recursive: true }));

it.each(failures.start)('an engine that is not started by %s', async (how) => {
  const layer = installFaults(root, { kind: 'start', n: 0, how });
  try {
    const engine = startEngine({ kind: 'inspect', model: '/m' }, () => {});
    expect(await engine.outcome).toMatchObject({
      kind: 'failed',
      code: 'cannotFit',
      message: expect.stringMatching(new RegExp(`^The engine cannot be started \\(${how}\\): [^\\n]+\\.$`)),
    });
    await engine.ended;
    expect(layer.hit()).toContain(how);
  } finally {
    layer.remove();
  }
});
