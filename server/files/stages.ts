// What is not complete yet lies beside its place under a hidden name that nobody can foresee, so that nobody has put something
// there. The name says whose it is, so that what the dead have left can be told from what the living write.
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf, isAlive, placeHere } from '../protocol/processIdentity';
import type { HeldFolder } from './contained';
import { removeIn } from './remove';

/** Of the file or folder that will have this name. `forgetStage` is to be called once it is renamed or removed. */
export function stageName(name: string): string {
  const stage = `${stagePrefix(name)}${process.pid}-${placeMark()}${randomBytes(8).toString('hex')}`;
  ours.add(stage);
  return stage;
}

export const forgetStage = (stage: string): void => void ours.delete(stage);

/** File systems take names of 255 bytes. */
const stagePrefix = (name: string) => `.${Buffer.from(name).subarray(0, 200).toString()}.partial-`;

/** In stages of earlier versions the number of the process stands alone. */
const form = /^\..+\.partial-(\d+)(?:-([0-9a-f]{8})[0-9a-f]{16})?$/;

/** Stages that this process is writing. */
const ours = new Set<string>();

/** Where process numbers mean the same as here. */
const placeMark = () => createHash('sha256').update(placeHere()).digest('hex').slice(0, 8);

/**
 * Removes what the dead have left of `name`, or of any name.
 * @param folder where the caller alone writes that name: of other boots and hosts nobody lives, then
 */
export const removeStages = (folder: HeldFolder, name: string | null): Promise<void> =>
  removeGone(folder, name, async () => true);

/** A process of another boot or host may live, but does not write one file for so long. */
const longestMs = 24 * 3_600_000;

/** The same in a folder where others may write that name, too. */
export const removeAbandoned = (folder: HeldFolder, name: string): Promise<void> =>
  removeGone(folder, name, async (entry) => {
    const stats = await lstat(folder.at(entry)).catch(() => null);
    return stats !== null && Date.now() - stats.mtimeMs > longestMs;
  });

/** The same at once, by names alone, in a folder of our own that nobody else can write to. */
export function removeAbandonedSync(folder: string, name: string): void {
  for (const entry of readdirSync(folder)) {
    const stage = stageIn(entry, name);
    const at = join(folder, entry);
    const isOld = () => Date.now() - (lstatSync(at, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > longestMs;
    if (stage && (stage.isHere ? !livesHere(stage.pid) : isOld())) rmSync(at, { force: true });
  }
}

/** Whose stage of `name` an entry is; null: none, or one of this process. */
function stageIn(entry: string, name: string | null): { pid: number; isHere: boolean } | null {
  const [, pid, place] = form.exec(entry) ?? [];
  if (pid === undefined || ours.has(entry) || (name !== null && !entry.startsWith(stagePrefix(name)))) return null;
  return { pid: Number(pid), isHere: place === undefined || place === placeMark() };
}

async function removeGone(
  folder: HeldFolder,
  name: string | null,
  isGoneElsewhere: (entry: string) => Promise<boolean>,
): Promise<void> {
  // A folder that cannot be read may be written to.
  for (const entry of await readdir(folder.at('.')).catch((): string[] => [])) {
    const stage = stageIn(entry, name);
    if (stage && (stage.isHere ? !livesHere(stage.pid) : await isGoneElsewhere(entry))) await removeIn(folder, entry);
  }
}

/** The number of this process may have been a dead one's. One that is dead, and not asked yet how it ended, has no start. */
const livesHere = (pid: number): boolean =>
  pid !== process.pid && isAlive(pid) && (process.platform !== 'linux' || identityOf(pid).started !== '');
