// How the editor's end finds a server.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { reachServer } from '../../extension/serverProcess';
import { earlierLockPath, lockFolder, lockPath } from '../../server/protocol/serverLock';

const dataFolder = mkdtempSync(join(tmpdir(), 'reach-'));
afterAll(() => rmSync(dataFolder, { recursive: true }));

describe('the server of a data folder', () => {
  const rows = ['espalier.v3', 'espalier.v12'].flatMap((protocol) =>
    [lockPath, earlierLockPath].map((pathIn) => ({ protocol, path: pathIn(dataFolder) })),
  );
  it.each(rows)('that speaks $protocol is left alone, with a sentence: $path', async ({ protocol, path }) => {
    mkdirSync(lockFolder(dataFolder), { recursive: true });
    writeFileSync(path, JSON.stringify({ protocol }));
    const place = { extensionFolder: '/extension', dataFolder, idleSeconds: 1, nodePath: '' };
    const reached = reachServer(place, new AbortController().signal);
    await expect(reached).rejects.toMatchObject({ code: 'otherBuild', message: expect.stringContaining(protocol) });
    await expect(reached).rejects.toThrow(`delete ${path}.`);
    expect(existsSync(path)).toBe(true);
    rmSync(path);
  });
});
