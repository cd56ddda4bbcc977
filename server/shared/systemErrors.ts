// What the system refuses, in words: an error of a file call or of the start of a process becomes a sentence that says what
// failed, why, and what to do. One row an error; what has none keeps the system's own name.
import { UserError } from '../errors';

export interface Refusal {
  /** As the system names it. */
  readonly code: string;
  readonly why: string;
  readonly remedy: string;
}

const refusals: Readonly<Record<string, Omit<Refusal, 'code'>>> = {
  ENOSPC: { why: 'the disk is full', remedy: 'free some space or choose another folder' },
  EDQUOT: { why: 'your disk quota is used up', remedy: 'free some space or choose another folder' },
  EFBIG: {
    why: 'the file system does not take files of that size',
    remedy: 'choose smaller shards or another folder',
  },
  EACCES: { why: 'you have no permission there', remedy: 'choose another folder or change its permissions' },
  EPERM: { why: 'you have no permission there', remedy: 'choose another folder or change its permissions' },
  EROFS: { why: 'the file system is read-only', remedy: 'choose another folder' },
  ENOTDIR: { why: 'a part of that path is a file', remedy: 'choose another folder' },
  EEXIST: { why: 'a part of that path is a file', remedy: 'choose another folder' },
  EISDIR: { why: 'it is a folder', remedy: 'choose another name' },
  ENOTEMPTY: { why: 'something was put there meanwhile', remedy: 'choose another folder' },
  ENAMETOOLONG: { why: 'the name is too long', remedy: 'choose another folder' },
  ENOENT: { why: 'it, or a folder on the way, vanished', remedy: 'see whether something was deleted meanwhile' },
  ELOOP: { why: 'the links on that path go in circles', remedy: 'choose another folder' },
  EIO: { why: 'the disk reports an error', remedy: 'try again, and choose another disk if it stays' },
  ESTALE: { why: 'the network disk has lost it', remedy: 'try again' },
  ETIMEDOUT: { why: 'the network disk does not answer', remedy: 'try again' },
  EMFILE: { why: 'too many files are open', remedy: 'close other windows, or raise the limit (ulimit -n)' },
  ENFILE: { why: 'too many files are open on this machine', remedy: 'close other programs' },
  EXDEV: { why: 'it lies on another disk', remedy: 'choose another folder' },
  EBUSY: { why: 'something else is using it', remedy: 'try again' },
};

/** Node has no names for these numbers of Linux and macOS. */
const nameless: Readonly<Record<number, string>> = {
  [-122]: 'EDQUOT',
  [-69]: 'EDQUOT',
  [-116]: 'ESTALE',
  [-70]: 'ESTALE',
};

/** The system's name of an error; null: it does not come from the system. */
export function systemCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  if (typeof errno === 'number' && nameless[errno] && /^Unknown system error/.test(code ?? '')) return nameless[errno];
  return code !== undefined && fileCalls.has(syscall ?? '') ? code : null;
}

const fileCalls = new Set([
  ...['open', 'read', 'write', 'close', 'fsync', 'fdatasync', 'ftruncate', 'fstat', 'fchmod', 'copyfile', 'sendfile'],
  ...['stat', 'lstat', 'statfs', 'access', 'realpath', 'readlink', 'scandir', 'opendir', 'utime', 'chmod', 'chown'],
  ...['rename', 'link', 'symlink', 'unlink', 'rmdir', 'rm', 'mkdir', 'mkdtemp'],
]);

/** null: the system has refused nothing. */
export function refusalOf(error: unknown): Refusal | null {
  const code = systemCode(error);
  if (code === null) return null;
  const known = Object.hasOwn(refusals, code)
    ? refusals[code]!
    : { why: 'the system does not say more', remedy: 'try again' };
  return { code, ...known };
}

/**
 * A refusal as an error for a person, for what was to be read; anything else stays what it is.
 * @param path where the call was not told a path, as of an open file
 */
export function cannotRead(error: unknown, path?: string): unknown {
  const refusal = refusalOf(error);
  if (refusal === null) return error;
  const place = path ?? (error as NodeJS.ErrnoException).path ?? 'a file';
  return new UserError('cannotRead', `Cannot read ${place} (${refusal.code}): ${refusal.why}; ${refusal.remedy}.`);
}

/** The same for what was to be written. */
export function cannotWrite(error: unknown, path: string): unknown {
  const refusal = refusalOf(error);
  return refusal === null
    ? error
    : new UserError('cannotWrite', `Cannot write ${path}: ${refusal.why}; ${refusal.remedy}.`);
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';
export const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT';
/** Something else lies in a file's place, such as a folder. */
export const isNoFile = (error: unknown): boolean => ['EISDIR', 'ENOTDIR', 'ELOOP'].includes(codeOf(error));

/** For `catch`: nothing where there is nothing. That a place cannot be looked at does not mean that it is empty. */
export function nullIfMissing(error: unknown): null {
  if (isAbsent(error)) return null;
  throw cannotRead(error);
}

/** A name that cannot be is not there either. */
export const isAbsent = (error: unknown): boolean => missing.includes(systemCode(error) ?? '');
const missing = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EINVAL'];
