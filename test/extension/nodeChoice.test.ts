import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { chooseNode, type NodePlaces } from '../../extension/nodeChoice';

const carried = join('/extension', 'node/bin/node');

describe('the Node that the server runs on', () => {
  const places: NodePlaces = {
    nodePath: '',
    extensionFolder: '/extension',
    here: { execPath: '/here/node', electron: false },
    platform: 'linux',
  };
  const electron = { execPath: '/here/code', electron: true };

  it.each<{ name: string; places: Partial<NodePlaces>; versions: Record<string, number>; chosen: string }>([
    {
      name: 'the one of the settings, before the one that is carried',
      places: { nodePath: '/mine/node' },
      versions: { '/mine/node': 20, [carried]: 24 },
      chosen: '/mine/node',
    },
    { name: 'the one that is carried', places: {}, versions: { [carried]: 24, '/here/node': 24 }, chosen: carried },
    {
      name: 'the one the editor runs on, where the carried one does not run',
      places: {},
      versions: { '/here/node': 22, node: 22 },
      chosen: '/here/node',
    },
    {
      name: 'the one on PATH, where the editor runs on an old one',
      places: {},
      versions: { '/here/node': 18, node: 20 },
      chosen: 'node',
    },
    {
      name: 'the one on PATH, where the editor runs on Electron',
      places: { here: electron },
      versions: { '/here/code': 24, node: 20 },
      chosen: 'node',
    },
    {
      name: 'node.exe in the package for Windows',
      places: { platform: 'win32' },
      versions: { [`${carried}.exe`]: 24 },
      chosen: `${carried}.exe`,
    },
  ])('is $name', async ({ places: some, versions, chosen }) => {
    expect(await chooseNode({ ...places, ...some }, async (program) => versions[program] ?? null)).toBe(chosen);
  });

  it.each<{ name: string; places: Partial<NodePlaces>; versions: Record<string, number>; sentence: RegExp }>([
    {
      name: 'an old one in the settings, though others would do',
      places: { nodePath: '/mine/node' },
      versions: { '/mine/node': 18, [carried]: 24 },
      sentence: /espalier\.nodePath names \/mine\/node, which is Node 18; give it a Node of version 20 or newer/,
    },
    {
      name: 'what is no Node in the settings',
      places: { nodePath: '/bin/false' },
      versions: { [carried]: 24 },
      sentence: /espalier\.nodePath names \/bin\/false, which is no Node that runs/,
    },
    {
      name: 'a machine without any',
      places: { here: electron },
      versions: { '/here/code': 24 },
      sentence: /No Node of version 20 or newer was found.*espalier\.nodePath/,
    },
  ])('refuses $name', async ({ places: some, versions, sentence }) => {
    const chosen = chooseNode({ ...places, ...some }, async (program) => versions[program] ?? null);
    await expect(chosen).rejects.toThrow(sentence);
  });

  describe('asked of real programs', () => {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-node-'));
    afterAll(() => rmSync(folder, { recursive: true }));
    const here = { execPath: process.execPath, electron: false };

    it('is this one, where nothing else is named', async () => {
      expect(await chooseNode({ ...places, extensionFolder: folder, here })).toBe(process.execPath);
    });

    it('is not a carried file that only has the name', async () => {
      const bin = join(folder, 'node/bin');
      mkdirSync(bin, { recursive: true });
      writeFileSync(join(bin, 'node'), '#!/bin/sh\necho v24.0.0-not\nexit 3\n');
      chmodSync(join(bin, 'node'), 0o755);
      expect(await chooseNode({ ...places, extensionFolder: folder, here })).toBe(process.execPath);
    });
  });
});
