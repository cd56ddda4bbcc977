// As much of the editor's interface as registering commands takes; the real one is asked in test/workbench/inHost.
const registered: string[] = [];

export const registeredCommands = (): string[] => [...registered].sort();

export const commands = {
  registerCommand(name: string) {
    registered.push(name);
    return { dispose() {} };
  },
};
export class Uri {}
export const window = {};
export const workspace = {};
export class CancellationTokenSource {}
