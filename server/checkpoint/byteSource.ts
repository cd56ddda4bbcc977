// Bytes of a file by position. The one place that reads weights from disk; tests put their own source in its place.
import { readSync } from 'node:fs';
import { isUserError, UserError } from '../errors';
import { type Content, openToRead } from '../files/contained';
import { cannotRead, isMissing } from '../shared/systemErrors';

export interface ByteSource {
  /** For sentences: the path. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Fills `target` from `position` on. The range lies inside the file. */
  read(target: Uint8Array, position: number): Promise<void>;
  readSync(target: Uint8Array, position: number): void;
  close(): Promise<void>;
}

/**
 * Opens a file for reading by position.
 * @param within where it has to lie; null: it may lie anywhere
 * @throws UserError `notFound` if it is not there, `cannotRead` if the system does not give it, `outsideRoots` if it leads elsewhere.
 */
export async function openFileSource(path: string, within: Content | null = null): Promise<ByteSource> {
  const handle = await openToRead(path, within).catch((error: NodeJS.ErrnoException) => {
    if (isUserError(error)) throw error;
    if (error.code === 'EISDIR') throw new UserError('damagedCheckpoint', `${path} is not a file.`);
    if (isMissing(error)) throw new UserError('notFound', `Cannot open ${path}: it does not exist.`);
    throw cannotRead(error, path);
  });
  const stats = await handle.stat().catch(async (error) => {
    await handle.close();
    throw cannotRead(error, path);
  });
  return {
    name: path,
    sizeBytes: stats.size,
    async read(target, position) {
      for (let done = 0; done < target.length; ) {
        const length = Math.min(target.length - done, mostBytesPerRead);
        const { bytesRead } = await handle.read(target, done, length, position + done).catch((error) => {
          throw cannotRead(error, path);
        });
        if (bytesRead === 0) throw endedEarly(path);
        done += bytesRead;
      }
    },
    readSync(target, position) {
      for (let done = 0; done < target.length; ) {
        const length = Math.min(target.length - done, mostBytesPerRead);
        const nRead = readSyncNamed(path, handle.fd, target, done, length, position + done);
        if (nRead === 0) throw endedEarly(path);
        done += nRead;
      }
    },
    close: () => handle.close(),
  };
}

// One call for all that fits: libuv then reads it whole on its own thread, also while a session blocks the event loop.
const mostBytesPerRead = 2 ** 30;

function readSyncNamed(path: string, fd: number, target: Uint8Array, offset: number, length: number, position: number) {
  try {
    return readSync(fd, target, offset, length, position);
  } catch (error) {
    throw cannotRead(error, path);
  }
}

const endedEarly = (path: string) =>
  new UserError('damagedCheckpoint', `${path} became shorter while it was being read; is something writing to it?`);
