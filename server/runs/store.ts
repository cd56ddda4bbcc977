// Runs on disk: DATA/runs/<runId>/ with recipe.json, state.json, events.jsonl and, in the end, report.json. A server that was
// killed leaves these files to the next one.
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../recipes/kinds';
import type { RunEvent } from '../protocol/server';
import { syncFolderSync } from '../files/sync';
import { appendEvent, type LogTail, readFurther, readEvents } from './eventLog';
import { openEventCache } from './eventCache';
import { noneGiven } from './eventNumbers';
import { type ReadJson, readJson, replaceFile } from './jsonFile';
import { cannotRead, cannotWrite } from '../shared/systemErrors';
import { type FoundRun, findRun, type StoredRun } from './storedRun';
import { openTrash } from './trash';

export type RunStore = ReturnType<typeof openRunStore>;

export function openRunStore(dataFolder: string) {
  const top = join(dataFolder, 'runs');
  try {
    if (mkdirSync(top, { recursive: true, mode: 0o700 }) !== undefined) syncFolderSync(dataFolder);
  } catch (error) {
    throw cannotWrite(error, top);
  }
  const trash = openTrash(dataFolder);
  const fileOf = (runId: string, name: string) => join(top, runId, name);
  const ended = openEventCache((runId) => fileOf(runId, 'events.jsonl'));
  const saveRecord = ({ runId, recipe, record }: StoredRun): void =>
    replaceFile(fileOf(runId, 'state.json'), { ...record, recipe });
  const saveBoth = (run: StoredRun): void => {
    replaceFile(fileOf(run.runId, 'recipe.json'), run.recipe);
    saveRecord(run);
  };

  /** What could not be made. What the system does not let go is empty, and no run. */
  const discard = (runId: string): void => {
    try {
      rmSync(join(top, runId), { recursive: true, force: true });
    } catch {}
  };
  const ids = (): string[] => namesIn(top).filter((name) => isRun(top, name));
  /** The log is read, and mended, only where another file is damaged. */
  const find = (runId: string): FoundRun =>
    findRun(join(top, runId), () => readEvents(fileOf(runId, 'events.jsonl'), noneGiven));

  return {
    /** All runs, in the order in which they were made. */
    list(): FoundRun[] {
      return ids()
        .map(find)
        .sort((a, b) => createdAt(a) - createdAt(b));
    },
    ids,
    find,
    has: (runId: string): boolean => existsSync(join(top, runId)),
    /** Another one when state.json has been written; null: there is none. */
    stampOf(runId: string): string | null {
      const stats = statSync(fileOf(runId, 'state.json'), { throwIfNoEntry: false });
      return stats ? `${stats.ino} ${stats.mtimeMs}` : null;
    },
    /** Reads on in the log that another server writes. Returns the new events. */
    readFurther: (runId: string, tail: LogTail): RunEvent[] => readFurther(fileOf(runId, 'events.jsonl'), tail),
    create(run: StoredRun): void {
      mkdirSync(join(top, run.runId), { recursive: true, mode: 0o700 });
      try {
        saveBoth(run);
        syncFolderSync(top);
      } catch (error) {
        discard(run.runId);
        throw error;
      }
    },
    discard,
    saveRecord,
    /** Writes both files of a run that was restored. */
    saveBoth,
    append: (runId: string, event: RunEvent): void => appendEvent(fileOf(runId, 'events.jsonl'), event),
    /** The events of runs that are not active. */
    ended,
    saveReport: (runId: string, report: Report): void => replaceFile(fileOf(runId, 'report.json'), report),
    report: (runId: string): ReadJson => readJson(fileOf(runId, 'report.json')),
    /** Moves it to the trash. Returns its size, which becomes free when the trash is emptied. */
    remove(runId: string): number {
      const folder = join(top, runId);
      const freedBytes = sizeOf(folder);
      trash.take(folder, runId);
      ended.forget(runId);
      return freedBytes;
    },
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw cannotRead(error, folder);
  }
}

/** Folders, and what stands in the place of one; other files were put there by somebody else. */
function isRun(top: string, name: string): boolean {
  if (name.startsWith('.')) return false;
  return lstatSync(join(top, name)).isDirectory() || /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(name);
}

const createdAt = (found: FoundRun): number =>
  found.kind === 'lost' ? found.summary.createdAtEpochMs : found.stored.record.createdAtEpochMs;

function sizeOf(path: string): number {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) return stats.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
