// What is asked of VS Code's own interface, with the extension installed. The interface is handed in, since the file is
// also read outside of the extension host, for the names.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

type Vscode = typeof import('vscode');
type HostTest = (vscode: Vscode) => Promise<void>;

export const hostTests: Record<string, HostTest> = {
  'the extension is installed and becomes active': async (vscode) => {
    const extension = vscode.extensions.getExtension('espalier.espalier');
    assert.ok(extension, 'it is not installed');
    await extension.activate();
    assert.ok(extension.isActive);
  },

  'it carries a Node that runs, and the onnxruntime of this platform alone': async (vscode) => {
    const { extensionPath } = vscode.extensions.getExtension('espalier.espalier')!;
    const node = join(extensionPath, 'node/bin/node');
    assert.match(String(execFileSync(node, ['--version'])), /^v\d+\./);
    const load = `process.stdout.write(require('onnxruntime-node').env.versions.node)`;
    const found = execFileSync(node, ['-e', load], {
      cwd: join(extensionPath, 'dist'),
      env: { ORT_DISABLE_TELEMETRY: '1' },
    });
    assert.match(String(found), /^\d+\.\d+\.\d+$/);
    const binaries = readdirSync(join(extensionPath, 'node_modules/onnxruntime-node/bin'), { recursive: true });
    assert.deepEqual(
      binaries.map(String).filter((path) => /^[^/]+\/[^/]+\/[^/]+$/.test(path)),
      ['napi-v6/linux/x64'],
    );
  },

  'every contributed command is registered, and no other of ours': async (vscode) => {
    const { packageJSON } = vscode.extensions.getExtension('espalier.espalier')!;
    const contributed = packageJSON.contributes.commands.map(({ command }: { command: string }) => command);
    const registered = (await vscode.commands.getCommands(true)).filter((name) => /^espalier\.(?!.*\.)/.test(name));
    assert.deepEqual(registered.sort(), contributed.sort());
  },

  'both views of the side bar are there': async (vscode) => {
    for (const view of ['espalier.models', 'espalier.runs']) await vscode.commands.executeCommand(`${view}.focus`);
  },

  'a workspace cannot set what names a program or folders': async (vscode) => {
    const settings = vscode.workspace.getConfiguration('espalier');
    for (const [name, value] of [
      ['nodePath', '/bin/true'],
      ['modelFolders', ['/']],
      ['benchmarkData', '/'],
      ['idleSeconds', 1],
    ] as const)
      await assert.rejects(
        async () => settings.update(name, value, vscode.ConfigurationTarget.Workspace),
        /espalier/,
        `${name} was written into the workspace`,
      );
  },

  'a recipe file has its language': async (vscode) => {
    const [folder] = vscode.workspace.workspaceFolders!;
    const file = vscode.Uri.joinPath(folder!.uri, 'analyze.espalier.yaml');
    await vscode.workspace.fs.writeFile(file, new TextEncoder().encode('kind: analyze\n'));
    assert.equal((await vscode.workspace.openTextDocument(file)).languageId, 'espalier-recipe');
  },

  'a panel opens by its command, once for each model': async (vscode) => {
    const [folder] = vscode.workspace.workspaceFolders!;
    const model = vscode.Uri.joinPath(folder!.uri, 'stories260k');
    const tabs = () => vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs).map(({ label }) => label);
    const ours = () => tabs().filter((label) => label === 'Choose Blocks: stories260k');
    for (const _ of ['opened', 'revealed']) {
      await vscode.commands.executeCommand('espalier.pruneModel', model);
      await until(
        () => ours().length > 0,
        () => `The tabs are ${tabs().join(', ')}`,
      );
    }
    assert.equal(ours().length, 1);
  },
};

async function until(is: () => boolean, otherwise: () => string): Promise<void> {
  for (const endMs = Date.now() + 30_000; !is(); await new Promise((resolve) => setTimeout(resolve, 50)))
    if (Date.now() > endMs) throw new Error(otherwise());
}

export interface HostResult {
  name: string;
  /** Null: it passed. */
  error: string | null;
}

/** A line of the console is the only way out of the extension host. */
export const resultOf = {
  write: (result: HostResult): string => `${mark}${JSON.stringify(result)}`,
  read: (line: string): HostResult | null =>
    line.includes(mark) ? JSON.parse(line.slice(line.indexOf(mark) + mark.length)) : null,
};
const mark = 'espalier-host-test ';
