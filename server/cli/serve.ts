// serve: the compute server in the foreground, for whoever wants to watch it. The editor starts the same one by itself.
import { isAbsolute, join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../errors';
import { knownHomeFolder } from '../files/homeFolder';
import { stderr, stdout } from '../terminal';
import { onEnding } from './endings';
import { positive } from './readings';

const lingerMs = 300;

interface ServeFlags {
  data?: string;
  idle: number;
}

export const addServe = (program: Command): Command =>
  program
    .command('serve')
    .description('the compute server that the editor uses, in the foreground')
    .option('--data <folder>', 'where runs are kept', defaultDataFolder())
    .option('--idle <seconds>', 'end after so long without a client and without a run', positive, 60)
    .action(async ({ data, idle }: ServeFlags) => {
      if (!data) throw new UserError('usage', 'There is no home folder to keep runs in; give a folder with --data.');
      // Only this command pays for the server.
      const { serve } = await import('../rpc/serve');
      const asked = new AbortController();
      onEnding(() => asked.abort());
      const log = (text: string) => stderr.message(text);
      const serving = await serve({ dataFolder: data, idleSeconds: idle, log, signal: asked.signal });
      if (serving.kind === 'other') {
        stdout.message(`Another server works on this folder; ${serving.lockFile} says where.`);
        return;
      }
      stdout.line(serving.lockFile);
      await serving.ended;
      // Whatever is still open, such as a client that does not answer, has no say in it.
      setTimeout(() => process.exit(), lingerMs).unref();
    });

/** Where the platform keeps what belongs to a user's programs; undefined: there is no such place. */
export function defaultDataFolder(): string | undefined {
  const { XDG_DATA_HOME = '', LOCALAPPDATA = '' } = process.env;
  const home = knownHomeFolder();
  const own = process.platform === 'win32' ? LOCALAPPDATA : process.platform === 'darwin' ? '' : XDG_DATA_HOME;
  if (isAbsolute(own)) return join(own, 'espalier');
  if (home === null) return undefined;
  if (process.platform === 'win32') return join(home, 'AppData', 'Local', 'espalier');
  if (process.platform === 'darwin') return join(home, 'Library', 'Application Support', 'espalier');
  return join(home, '.local', 'share', 'espalier');
}
