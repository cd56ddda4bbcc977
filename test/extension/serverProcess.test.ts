// How the editor's end finds a server.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { reachServer } from '../../extension/serverProcess';

const dataFolder = mkdtempSync(join(tmpdir(), 'reach-'));
afterAll(() => rmSync(dataFolder, { recursive: true }));

describe('the server of a data folder', () => {
  it.each(['espalier.v3', 'espalier.v12'])('that speaks %s is left alone, with a sentence', async (protocol) => {
    writeFileSync(join(dataFolder, 'server.json'), JSON.stringify({ protocol }));
    const place = { extensionFolder: '/extension', dataFolder, idleSeconds: 1, nodePath: '' };
    const reached = reachServer(place, new AbortController().signal);
    await expect(reached).rejects.toMatchObject({ code: 'otherBuild', message: expect.stringContaining(protocol) });
    expect(readdirSync(dataFolder)).toEqual(['server.json']);
  });
});
