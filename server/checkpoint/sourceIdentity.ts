// Whether the files of a folder are still those that they were: a model that is overwritten while it is read would give a mixture
// of two. Looked at before the first of them is opened, and again before a result is kept.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors';
import { nullIfMissing } from '../shared/systemErrors';

export interface SourceIdentity {
  /** @throws UserError `damagedCheckpoint` naming a file that is another one by now. */
  refuseChanged(): Promise<void>;
}

/** @param isPart of which files, by their names */
export async function sourceIdentityOf(folder: string, isPart: (name: string) => boolean): Promise<SourceIdentity> {
  const before = await prints(folder, isPart);
  return {
    async refuseChanged() {
      const now = await prints(folder, isPart);
      const changed = [...new Set([...before.keys(), ...now.keys()])].find(
        (name) => before.get(name) !== now.get(name),
      );
      if (changed === undefined) return;
      throw new UserError(
        'damagedCheckpoint',
        `${join(folder, changed)} was changed while it was being read, so that nothing is kept; begin again when nothing writes there.`,
      );
    },
  };
}

/** Of each file what changes when it is written to or replaced. */
async function prints(folder: string, isPart: (name: string) => boolean): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of ((await readdir(folder).catch(nullIfMissing)) ?? []).filter(isPart).sort()) {
    const stats = await stat(join(folder, name), { bigint: true }).catch(nullIfMissing);
    if (stats?.isFile()) found.set(name, `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs}`);
  }
  return found;
}
