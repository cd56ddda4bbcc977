// Runs that were deleted: DATA/trash/<runId>/, as they were in DATA/runs. Moved back while no server runs, they are there
// again with the next one; after a week they are gone.
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

const keptDays = 7;

export type Trash = ReturnType<typeof openTrash>;

/** Throws away what has lain there for long. */
export function openTrash(dataFolder: string, nowEpochMs: () => number = Date.now) {
  const top = join(dataFolder, 'trash');
  const oldest = nowEpochMs() - keptDays * 24 * 3_600_000;
  for (const name of entriesOf(top)) {
    const entry = join(top, name);
    // What cannot be looked at or removed is no reason not to serve; the next server tries again.
    try {
      if (statSync(entry).mtimeMs < oldest) rmSync(entry, { recursive: true, force: true });
    } catch {}
  }
  return {
    /** Moves a folder here. One of the same name, of an earlier run with its id, makes room. */
    take(folder: string, name: string): void {
      mkdirSync(top, { recursive: true, mode: 0o700 });
      const entry = join(top, name);
      rmSync(entry, { recursive: true, force: true });
      const now = new Date(nowEpochMs());
      // Before it is moved: what lies here without the time of its deletion would be taken for older than it is.
      utimesSync(folder, now, now);
      renameSync(folder, entry);
    },
  };
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // nothing was ever deleted
  }
}
