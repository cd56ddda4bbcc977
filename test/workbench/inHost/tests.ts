// What is asked of VS Code's own interface, with the extension installed. The interface is handed in, since the file is
// also read outside of the extension host, for the names.
import assert from 'node:assert/strict';

type Vscode = typeof import('vscode');
type HostTest = (vscode: Vscode) => Promise<void>;

export const hostTests: Record<string, HostTest> = {
  'the extension is installed and becomes active': async (vscode) => {
    const extension = vscode.extensions.getExtension('espalier.espalier');
    assert.ok(extension, 'it is not installed');
    await extension.activate();
    assert.ok(extension.isActive);
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
