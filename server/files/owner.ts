// Whoever makes an output, or goes on with one, owns it for as long: a file beside it names the process, and is void once that
// process is gone. So nobody works on what another is writing, whether by the command line, a server, or on another host.
import { AsyncLocalStorage } from 'node:async_hooks';
import { closeSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { UserError } from '../errors';
import { identityFields, identityOf, readAs, standingOf } from '../protocol/processIdentity';
import { cannotRead, cannotWrite, isAbsent, isNoFile } from '../shared/systemErrors';
import { type HeldFolder, holdFolder, isAllowed } from './contained';
import { readOrNull, takePlace } from './exclusive';
import { withOutputPlace } from './outputPlace';

const ownerSchema = z.object({
  ...identityFields,
  /** What it does there, for people. */
  work: z.string(),
  sinceEpochMs: z.number(),
});
type Owner = z.output<typeof ownerSchema>;

/** Outputs that this chain of calls owns. */
const owned = new AsyncLocalStorage<readonly string[]>();

/**
 * Owns the output for the time of `body`. Within a call for the same output nothing is taken again.
 * @throws UserError `cannotWrite` where another process owns it, or a folder that it lies in.
 */
export async function withOwner<T>(out: string, work: string, body: () => Promise<T>): Promise<T> {
  let began = false;
  const owning = (target: string, path: string) =>
    ownAt(target, path, work, () => {
      began = true;
      return body();
    });
  try {
    return await withOutputPlace(out, ({ target, name, parent }) => owning(target, parent.at(nameBeside(name))));
  } catch (error) {
    // The folder around it may take no files, such as that of a mounted disk.
    if (began) throw error;
    if (!isRefused(error)) throw cannotWrite(error, resolve(out));
    const folder = await holdFolder(out).catch(() => {
      throw cannotWrite(error, resolve(out));
    });
    try {
      return await owning(folder.path, folder.at(nameInside));
    } finally {
      await folder.close();
    }
  }
}

const isRefused = (error: unknown) =>
  ['EACCES', 'EPERM', 'EROFS', 'outsideRoots'].includes((error as NodeJS.ErrnoException).code ?? '');

async function ownAt<T>(target: string, path: string, work: string, body: () => Promise<T>): Promise<T> {
  const mine = owned.getStore() ?? [];
  if (mine.includes(target)) return body();
  await refuseOwnedAround(target, mine);
  const owner: Owner = { ...identityOf(process.pid), work, sinceEpochMs: Date.now() };
  const lock: Lock = { path, text: `${JSON.stringify(owner)}\n` };
  if (!(await takePlace(path, (at) => put(at, lock.text), isHeld))) throw ownedByAnother(target, readOrNull(path));
  const tending = setInterval(() => tend(lock), tendEveryMs);
  tending.unref();
  try {
    return await owned.run([...mine, target], body);
  } finally {
    clearInterval(tending);
    release(lock);
  }
}

interface Lock {
  readonly path: string;
  readonly text: string;
}

const nameBeside = (name: string) => `.${name}.espalier-lock`;
const nameInside = '.espalier-lock';
/** Whether a name in a folder is that of the lock of an output there, or in the output itself. */
export const isLockOf = (entry: string, name: string): boolean => entry.startsWith(nameBeside(name));
export const isLockInside = (entry: string): boolean => entry.startsWith(nameInside);

/** Removes the locks in a folder that no living owner holds, whose unlinking the system once refused. */
export async function removeVoidLocks(folder: HeldFolder): Promise<void> {
  for (const entry of await readdir(folder.at('.'))) {
    const text = entry.includes(nameInside) ? readOrNull(folder.at(entry)) : null;
    if (text !== null && !(await isHeld(folder.at(entry), text))) rmSync(folder.at(entry), { force: true });
  }
}

function put(path: string, text: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    writeFileSync(file, text);
    closeSync(file);
  } catch (error) {
    // Half a lock, as on a full disk, would be taken for one that is being written.
    rmSync(path, { force: true });
    throw error;
  }
  return true;
}

/** One that is being written is not whole for a moment. */
const writtenWithinMs = 2000;
const tendEveryMs = 5000;
/** An owner elsewhere that has not shown itself for this long is dead; a graph may keep its loop for a while. */
const tendedMs = 120_000;

async function isHeld(path: string, text: string): Promise<boolean> {
  const owner = understood(text);
  const standing = owner && standingOf(owner);
  if (standing === 'gone') return false;
  if (standing === 'lives') return true;
  try {
    return Date.now() - statSync(path).mtimeMs < (owner ? tendedMs : writtenWithinMs);
  } catch (error) {
    return !isAbsent(error); // who cannot be asked about may live
  }
}

/** null: there is none, or it is not for us. What the system does not give now may be that of a living owner. */
function lockText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isAbsent(error) || isNoFile(error) || isRefused(error)) return null;
    throw cannotRead(error, path);
  }
}

const understood = (text: string): Owner | null => readAs(ownerSchema, text);

/** A study owns all that lies in its folder. */
async function refuseOwnedAround(target: string, mine: readonly string[]): Promise<void> {
  for (let folder = dirname(target); dirname(folder) !== folder && isAllowed(folder); folder = dirname(folder)) {
    if (mine.includes(folder)) continue;
    for (const path of [join(dirname(folder), nameBeside(basename(folder))), join(folder, nameInside)]) {
      const text = lockText(path);
      if (text !== null && (await isHeld(path, text))) throw ownedByAnother(folder, text);
    }
  }
}

function ownedByAnother(target: string, text: string | null): UserError {
  const owner = understood(text ?? '');
  const who = owner
    ? ` (${owner.work}, process ${owner.pid} on ${owner.host}, since ${new Date(owner.sinceEpochMs).toISOString()})`
    : '';
  return new UserError(
    'cannotWrite',
    `Another run is writing ${target}${who}; wait for it, end it, or choose another folder.`,
  );
}

function tend({ path, text }: Lock): void {
  try {
    const now = new Date();
    if (readFileSync(path, 'utf8') === text) utimesSync(path, now, now);
  } catch {} // it is asked again, and what is not there is nobody's
}

function release({ path, text }: Lock): void {
  try {
    if (readFileSync(path, 'utf8') === text) rmSync(path, { force: true });
  } catch {} // void once this process is gone
}
