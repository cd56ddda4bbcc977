// Where the platform keeps what a program can make again.
import { isAbsolute, join } from 'node:path';
import { knownHomeFolder } from './homeFolder';

/** null: there is no such place. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string | null {
  const { XDG_CACHE_HOME = '', LOCALAPPDATA = '' } = environment;
  const home = knownHomeFolder();
  if (process.platform === 'win32') return isAbsolute(LOCALAPPDATA) ? join(LOCALAPPDATA, 'espalier', 'cache') : null;
  if (process.platform === 'darwin') return home && join(home, 'Library', 'Caches', 'espalier');
  if (isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, 'espalier');
  return home && join(home, '.cache', 'espalier');
}
