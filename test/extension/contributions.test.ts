// The manifest, the table of commands and what is on the disk say the same. What the editor makes of it is asked in a real
// one, in test/workbench/inHost.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { repoRoot } from '../fixtures';

// The table is read here, not run: nothing of the editor is touched.
vi.mock('vscode', () => ({ Uri: class {} }));
const { commandTable } = await import('../../extension/commands');

const manifest = JSON.parse(readFileSync(join(repoRoot, 'package.json'), 'utf8'));
const { contributes, activationEvents, capabilities } = manifest;
const contributed: string[] = contributes.commands.map(({ command }: { command: string }) => command);

/** Everything in the manifest that names one of our commands. */
const menus = Object.entries(contributes.menus as Record<string, { command: string; when?: string }[]>);
const links = (text: string) => [...text.matchAll(/command:(espalier\.[\w.]+)/g)].map(([, name]) => name!);

describe('commands', () => {
  it('of the manifest are those of the table', () => {
    expect(contributed.toSorted()).toEqual(Object.keys(commandTable).toSorted());
    expect(new Set(contributed).size).toBe(contributed.length);
  });

  it('have a title in the category Espalier, with an ellipsis only where something is asked next', () => {
    for (const { category, title } of contributes.commands) {
      expect(category).toBe('Espalier');
      expect(title).toMatch(/^[A-Z][^.]*…?$/);
    }
  });

  it.each(menus)('in the menu %s exist', (_, entries) => {
    for (const { command } of entries) expect(contributed).toContain(command);
  });

  it('in links of welcomes and of the walkthrough exist', () => {
    const texts = [
      ...contributes.viewsWelcome.map(({ contents }: { contents: string }) => contents),
      ...contributes.walkthroughs.flatMap(({ steps }: { steps: { description: string }[] }) =>
        steps.map((step) => step.description),
      ),
    ];
    const named = texts.flatMap(links);
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) expect([...contributed, 'espalier.models.focus']).toContain(name);
  });

  it('of the Explorer appear only where they apply', () => {
    const entries = menus.find(([menu]) => menu === 'explorer/context')![1];
    for (const { when } of entries) expect(when).toMatch(/espalier\.modelFolders|\.espalier\\\.yaml/);
  });
});

describe('the manifest', () => {
  it('wakes the extension for restored panels and its own files, never always', () => {
    for (const type of ['chooseBlocks', 'try', 'run'])
      expect(activationEvents).toContain(`onWebviewPanel:espalier.${type}`);
    expect(activationEvents).not.toContain('*');
  });

  it('lets no workspace name a program or a folder', () => {
    const { properties } = contributes.configuration;
    for (const name of ['espalier.nodePath', 'espalier.modelFolders', 'espalier.idleSeconds'])
      expect(properties[name].scope).toBe('machine');
    for (const name of ['espalier.nodePath', 'espalier.modelFolders'])
      expect(capabilities.untrustedWorkspaces.restrictedConfigurations).toContain(name);
  });

  it('names files that are there', () => {
    const text = JSON.stringify(contributes);
    const files = [...text.matchAll(/"(?:\.\/)?(media\/[^"]+)"/g)].map(([, file]) => file!);
    expect(files.length).toBeGreaterThan(6);
    for (const file of files) expect(existsSync(join(repoRoot, file)), file).toBe(true);
    for (const theme of ['light', 'dark'])
      for (let level = 1; level <= 9; level++)
        expect(existsSync(join(repoRoot, `media/bars/${theme}/${level}.svg`))).toBe(true);
  });

  it('describes every setting', () => {
    for (const setting of Object.values<{ description: string }>(contributes.configuration.properties))
      expect(setting.description).toMatch(/^[A-Z].*\.$/);
  });
});
