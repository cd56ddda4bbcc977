// serve: the compute server in the foreground, for whoever wants to watch it. The editor starts the same one by itself.
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { stderr, stdout } from '../terminal';
import { positive } from './readings';

const lingerMs = 300;

interface ServeFlags {
  data: string;
  idle: number;
}

export const addServe = (program: Command): Command =>
  program
    .command('serve')
    .description('the compute server that the editor uses, in the foreground')
    .option('--data <folder>', 'where runs are kept', defaultDataFolder())
    .option('--idle <seconds>', 'end after so long without a client and without a run', positive, 60)
    .action(async ({ data, idle }: ServeFlags) => {
      // Only this command pays for the server.
      const { serve } = await import('../rpc/serve');
      const asked = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => asked.abort());
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

/** Where the platform keeps what belongs to a user's programs. */
export function defaultDataFolder(): string {
  const { XDG_DATA_HOME, LOCALAPPDATA } = process.env;
  if (process.platform === 'win32') return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'espalier');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'espalier');
  return join(XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'espalier');
}
