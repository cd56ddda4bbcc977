// package.json promises, the source keeps: what is contributed, registered and referred to is the same.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { allCommands, type CommandHost, registerCommands } from '../../extension/commands';
import { definedPages, panelTypes } from '../../extension/panels/pages';
import { repoRoot } from '../fixtures';
import { registeredCommands } from './vscode';

vi.mock('vscode', () => import('./vscode'));

// As the build does.
for (const page of readdirSync(join(repoRoot, 'extension/panels'), { withFileTypes: true }))
  if (page.isDirectory()) await import(join(repoRoot, 'extension/panels', page.name, 'panel.ts'));

interface MenuRow {
  command: string;
  when?: string;
}
const manifest = JSON.parse(readFileSync(join(repoRoot, 'package.json'), 'utf8'));
const { contributes } = manifest;
const menus: Record<string, MenuRow[]> = contributes.menus;
const rows = Object.entries(menus).flatMap(([menu, list]) => list.map((row) => ({ menu, ...row })));
const source = readdirSync(join(repoRoot, 'extension'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(repoRoot, 'extension', name), 'utf8'))
  .join('\n');
const properties: Record<string, { scope: string; description: string; order: number }> =
  contributes.configuration.properties;

describe('what package.json contributes', () => {
  const contributed: string[] = contributes.commands.map(({ command }: MenuRow) => command).sort();

  it('is the table of commands, and what is registered', () => {
    expect(contributed.length).toBeGreaterThan(10);
    expect(Object.keys(allCommands()).sort()).toEqual(contributed);
    registerCommands({} as CommandHost);
    expect(registeredCommands()).toEqual(contributed);
  });

  it.each<{ title: string; category: string; command: string }>(contributes.commands)(
    '$command has a title and the category Espalier',
    ({ title, category }) => {
      // … where something is asked next.
      expect(title).toMatch(/^[A-Z][^.]*…?$/);
      expect(category).toBe('Espalier');
    },
  );

  it('puts only commands of ours into menus, and each under a condition', () => {
    expect(rows.length).toBeGreaterThan(10);
    for (const { command, when, menu } of rows) {
      expect(contributed, menu).toContain(command);
      expect(when, `${menu} ${command}`).toBeTruthy();
    }
  });

  it('gives every row of a tree with inline actions an icon', () => {
    const icons = new Map(contributes.commands.map((it: { command: string; icon?: string }) => [it.command, it.icon]));
    const inline = rows.filter(({ menu, ...row }) => menu === 'view/item/context' && /^inline/.test(groupOf(row)));
    expect(inline.length).toBeGreaterThan(2);
    for (const { command } of inline) expect(icons.get(command), command).toBeTruthy();
  });

  it('shows entries of the Explorer only on models and recipes', () => {
    expect(menus['explorer/context']!.length).toBeGreaterThan(0);
    for (const { when } of menus['explorer/context']!)
      expect(when).toMatch(/resourcePath in espalier\.modelFolders|\\\.espalier\\\.yaml\$/);
  });

  it('asks only for context keys that somebody sets', () => {
    const conditions = JSON.stringify([menus, contributes.viewsWelcome, contributes.commands]);
    const asked = new Set(
      [...conditions.matchAll(/espalier\.(connection|known|modelFolders)\b/g)].map(([, key]) => key),
    );
    expect(asked).toEqual(new Set(['connection', 'known', 'modelFolders']));
    for (const key of asked) expect(source).toMatch(new RegExp(`setContext.*espalier\\.${key}|set\\('${key}'`));
  });

  it('links only commands that exist in its welcomes and its walkthrough', () => {
    const links = [
      ...JSON.stringify([contributes.viewsWelcome, contributes.walkthroughs]).matchAll(/command:([\w.]+)/g),
    ];
    const ours = links.map(([, command]) => command!).filter((command) => command.startsWith('espalier.'));
    expect(ours.length).toBeGreaterThan(4);
    const views = contributes.views.espalier.map(({ id }: { id: string }) => `${id}.focus`);
    for (const command of ours) expect([...contributed, ...views]).toContain(command);
  });

  it('names only files that are there', () => {
    const named = [...JSON.stringify(contributes).matchAll(/"(?:\.\/)?(media\/[^"]+)"/g)].map(([, file]) => file!);
    expect(named.length).toBeGreaterThan(5);
    for (const file of named) expect(existsSync(join(repoRoot, file)), file).toBe(true);
  });

  it('activates the extension for its panels, and never at every start', () => {
    const events: string[] = manifest.activationEvents;
    const wanted = panelTypes.map((type) => `onWebviewPanel:${type}`);
    const missing = wanted
      .filter((event) => !events.includes(event))
      .map((event) => `add ${event} to activationEvents`);
    const idle = events.filter((event) => event.startsWith('onWebviewPanel:') && !wanted.includes(event));
    expect([...missing, ...idle.map((event) => `no panel has the type of ${event}`)]).toEqual([]);
    expect(events).not.toContain('*');
  });

  it('describes every setting in a sentence', () => {
    for (const { description } of Object.values(properties)) expect(description).toMatch(/^[A-Z].*\.$/);
  });

  it('reads every setting it contributes, in an order of their own', () => {
    const names = Object.keys(properties);
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) expect(source, name).toContain(`'${name.replace('espalier.', '')}'`);
    const orders = Object.values(properties).map(({ order }) => order);
    expect(new Set(orders).size).toBe(orders.length);
  });

  it.each([
    'espalier.nodePath',
    'espalier.modelFolders',
    'espalier.huggingFaceCache',
    'espalier.idleSeconds',
    'espalier.benchmarkData',
  ])('takes %s from the machine, never from a workspace', (name) => {
    expect(properties[name]!.scope).toBe('machine');
    expect(source).toMatch(new RegExp(`ofUser(<[^(]*>)?\\('${name.replace('espalier.', '')}'`));
  });

  it('starts nothing in Restricted Mode, and says so', () => {
    const { untrustedWorkspaces, virtualWorkspaces } = manifest.capabilities;
    expect(untrustedWorkspaces.supported).toBe('limited');
    for (const name of ['nodePath', 'modelFolders', 'benchmarkData'])
      expect(untrustedWorkspaces.restrictedConfigurations).toContain(`espalier.${name}`);
    expect(virtualWorkspaces).toBe(false);
    expect(manifest.extensionKind).toEqual(['workspace']);
  });

  it('keeps the editor from forwarding the port of the server', () => {
    const [[pattern, attributes]] = Object.entries<{ onAutoForward: string }>(
      contributes.configurationDefaults['remote.portsAttributes'],
    ) as [[string, { onAutoForward: string }]];
    expect('/x/extensions/espalier.espalier-0.1.0/dist/server.cjs /data 60').toMatch(new RegExp(pattern));
    expect(attributes.onAutoForward).toBe('ignore');
  });
});

describe('a page', () => {
  const namesIn = (folder: string, file: RegExp, line: RegExp) =>
    readdirSync(join(repoRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => file.test(name))
      .flatMap((name) => line.exec(readFileSync(join(repoRoot, folder, name), 'utf8'))?.[1] ?? []);
  const declared = namesIn('server/protocol/pages', /\.ts$/, /extends PageProtocol \{\n {2}name: '(\w+)'/);
  const mounted = namesIn('webview', /[\\/]page\.ts$/, /registerPage<\w+>\('(\w+)'/);
  const defined = definedPages().map(({ name }) => name);

  it('has its conversation, its panel and its part of the webview', () => {
    expect(declared.length).toBeGreaterThan(4);
    const missing = declared.flatMap((name) => [
      ...(defined.includes(name) ? [] : [`${name}: no panel.ts calls definePage`]),
      ...(mounted.includes(name) ? [] : [`${name}: no page.ts of the webview calls registerPage`]),
    ]);
    const undeclared = [...defined, ...mounted].filter((name) => !declared.includes(name));
    expect([...missing, ...undeclared.map((name) => `${name}: no file of server/protocol/pages declares it`)]).toEqual(
      [],
    );
  });

  it('has a name of its own', () => {
    expect(new Set(declared).size).toBe(declared.length);
  });
});

function groupOf(row: object): string {
  return (row as { group?: string }).group ?? '';
}
