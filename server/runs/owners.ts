// Whose an active run is, where servers of several hosts or containers share the folder: owner.json beside its log names the
// server that works on it. Only its owner writes to a run; another one takes it when that server gives no sign of life.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readOrNull, tryFile } from '../files/exclusive';
import { readAs } from '../protocol/processIdentity';
import {
  lockFolder,
  lockPath,
  type ServerIdentity,
  serverIdentityOf,
  serverIdentitySchema,
  serverLives,
} from '../protocol/serverLock';
import { withPath } from '../files/replaceText';
import { goesOnElsewhere } from './runLife';

/** Another server. */
export interface Owner {
  readonly host: string;
  readonly lives: boolean;
}

export type Owners = ReturnType<typeof openOwners>;

export function openOwners(dataFolder: string, self: ServerIdentity = serverIdentityOf(process.pid)) {
  const folderOf = (runId: string) => join(dataFolder, 'runs', runId);
  const fileOf = (runId: string) => join(folderOf(runId), 'owner.json');
  const mine = `${JSON.stringify(self)}\n`;
  /** null: a server of this place, which is gone, since this one has the lock of the place; or nobody. */
  const another = (text: string): Owner | null => {
    const owner = readAs(serverIdentitySchema, text);
    if (!owner || (owner.place === self.place && owner.network === self.network)) return null;
    return { host: owner.host, lives: serverLives(dataFolder, owner) };
  };
  return {
    /** Makes a run this server's; throws UserError('badState') where another living one has it. */
    take(runId: string): void {
      mkdirSync(folderOf(runId), { recursive: true, mode: 0o700 });
      const path = fileOf(runId);
      if (textAt(path) === mine) return;
      const taking = takingOf(path, mine, (_, text) => another(text)?.lives ?? false);
      if (taking !== 'taken') throw goesOnElsewhere(another(textAt(path))?.host ?? 'another host');
    },
    isMine: (runId: string): boolean => textAt(fileOf(runId)) === mine,
    release(runId: string): void {
      if (readOrNull(fileOf(runId)) !== mine) return;
      try {
        rmSync(fileOf(runId), { force: true });
      } catch {} // void once this server is gone
    },
    /** null: nobody but this server, or one before it. */
    otherOf: (runId: string): Owner | null => another(textAt(fileOf(runId))),
    /** Whether servers of other hosts or containers have been here. */
    hasNeighbours(): boolean {
      const own = basename(lockPath(dataFolder, self));
      return namesIn(lockFolder(dataFolder)).some((name) => name.endsWith('.json') && name !== own);
    },
  };
}

/** Nothing where there is no such file. */
function textAt(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw withPath(error, path);
  }
}

const takingOf: typeof tryFile = (path, ...rest) => {
  try {
    return tryFile(path, ...rest);
  } catch (error) {
    throw withPath(error, path);
  }
};

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // tests open runs without a lock
  }
}
