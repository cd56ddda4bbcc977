// The context keys that the `when` clauses of package.json read.
import { commands, type Disposable } from 'vscode';
import type { Connection } from './connection';
import type { Library } from './library';

export function setContextKeys(connection: Connection, library: Library): Disposable {
  const set = (name: string, value: unknown) => void commands.executeCommand('setContext', `espalier.${name}`, value);
  const update = () => {
    set('connection', connection.state.state);
    set('known', library.known);
  };
  update();
  const listening = [connection.onState(update), library.onChange(update)];
  return {
    dispose() {
      for (const each of listening) each.dispose();
    },
  };
}
