// The layer itself: what it counts, how it fails, and that the server uses no file call that it does not know.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import * as fs from 'node:fs';
import * as promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { repoRoot } from '../fixtures';
import { callKinds, failures } from './kinds';
import { type FaultLayer, installFaults } from './layer';

const root = mkdtempSync(join(tmpdir(), 'layer-'));
afterAll(() => rmSync(root, { recursive: true }));
let layer: FaultLayer | null = null;
afterEach(() => {
  layer?.remove();
  layer = null;
});

/** One call of every kind. */
async function all(): Promise<void> {
  const at = (name: string) => join(root, name);
  await promises.mkdir(at('folder'));
  await promises.writeFile(at('folder/a'), 'some text');
  const handle = await promises.open(at('folder/a'), 'r+');
  await handle.sync();
  await handle.close();
  fs.renameSync(at('folder/a'), at('folder/b'));
  fs.truncateSync(at('folder/b'), 4);
  expect(await promises.readFile(at('folder/b'), 'utf8')).toBe('some');
  expect(fs.readFileSync(at('folder/b'), 'utf8')).toBe('some');
  let streamed = '';
  for await (const chunk of fs.createReadStream(at('folder/b'))) streamed += chunk;
  expect(streamed).toBe('some');
  fs.chmodSync(at('folder/b'), 0o600);
  expect((await promises.stat(at('folder/b'))).size).toBe(4);
  expect(fs.readdirSync(at('folder'))).toEqual(['b']);
  await promises.rm(at('folder'), { recursive: true });
}

describe('the layer of faults', () => {
  const counted = callKinds.filter((kind) => kind !== 'start');

  it('counts every kind, changes nothing without a fault, and is gone when it is removed', async () => {
    layer = installFaults(root);
    await all();
    expect([...layer.counts.keys()].sort()).toEqual([...counted].sort());
    const before = layer.counts.get('mkdir');
    layer.remove();
    await all();
    expect(layer.counts.get('mkdir')).toBe(before);
  });

  it.each(counted.flatMap((kind) => failures[kind].map((how) => ({ kind, how }))))(
    'fails $kind by $how',
    async ({ kind, how }) => {
      rmSync(join(root, 'folder'), { recursive: true, force: true });
      layer = installFaults(root, { kind, n: 0, how });
      if (how === 'short') await all();
      else await expect(all()).rejects.toMatchObject({ code: how === 'EDQUOT' ? 'Unknown system error -122' : how });
      expect(layer.hit()).toContain(how);
    },
  );

  it('knows every file call of the server', () => {
    layer = installFaults(root);
    const names = readdirSync(join(repoRoot, 'server'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.ts$/.test(name))
      .flatMap((name) => [
        ...readFileSync(join(repoRoot, 'server', name), 'utf8').matchAll(
          /^import \{([^}]*)\} from 'node:fs(\/promises)?'/gm,
        ),
      ])
      .flatMap(([, list, isPromise]) =>
        list!.split(',').map((name) => ({ name: name.trim().split(' as ')[0]!, from: isPromise ? promises : fs })),
      )
      .filter(({ name }) => name !== '' && name !== 'constants' && !/^type /.test(name) && name !== 'createReadStream');
    expect(names.length).toBeGreaterThan(50);
    const unknown = names.filter(({ name, from }) => !layer!.knows(from[name as 'open']));
    expect(unknown.map(({ name }) => name)).toEqual([]);
  });
});
