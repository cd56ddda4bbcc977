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
};

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
