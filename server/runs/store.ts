// Runs on disk: DATA/runs/<runId>/ with recipe.json, state.json, events.jsonl and, in the end, report.json. A server that was
// killed leaves these files to the next one.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type Recipe, type Report, recipeSchema } from '../recipes/kinds';
import type { RunEvent, RunState } from '../protocol/server';
import { parsedJson, readJson, replaceFile } from './jsonFile';
import { openTrash } from './trash';

/** state.json. */
export interface RunRecord {
  title: string;
  model: string;
  /** The resolved folders below which this run may read and write. */
  roots: string[];
  createdAtEpochMs: number;
  startedAtEpochMs: number | null;
  endedAtEpochMs: number | null;
  lastSeq: number;
  state: RunState;
}

export interface StoredRun {
  readonly runId: string;
  readonly recipe: Recipe;
  readonly record: RunRecord;
}

export type RunStore = ReturnType<typeof openRunStore>;

export function openRunStore(dataFolder: string) {
  const top = join(dataFolder, 'runs');
  mkdirSync(top, { recursive: true, mode: 0o700 });
  const trash = openTrash(dataFolder);
  const fileOf = (runId: string, name: string) => join(top, runId, name);
  /** The events of the run that has ended and was read last. */
  let read: { runId: string; events: RunEvent[] } | null = null;

  return {
    /** All runs that can be read, in the order in which they were made. */
    list(): StoredRun[] {
      const found = readdirSync(top).flatMap((runId) => {
        const recipe = recipeSchema.safeParse(readJson(fileOf(runId, 'recipe.json')));
        const record = recordSchema.safeParse(readJson(fileOf(runId, 'state.json')));
        return recipe.success && record.success ? [{ runId, recipe: recipe.data, record: record.data }] : [];
      });
      return found.sort((a, b) => a.record.createdAtEpochMs - b.record.createdAtEpochMs);
    },
    create({ runId, recipe, record }: StoredRun): void {
      mkdirSync(join(top, runId), { recursive: true, mode: 0o700 });
      try {
        replaceFile(fileOf(runId, 'recipe.json'), recipe);
        replaceFile(fileOf(runId, 'state.json'), record);
      } catch (error) {
        rmSync(join(top, runId), { recursive: true, force: true });
        throw error;
      }
    },
    saveRecord: (runId: string, record: RunRecord): void => replaceFile(fileOf(runId, 'state.json'), record),
    append(runId: string, event: RunEvent): void {
      const file = fileOf(runId, 'events.jsonl');
      try {
        appendFileSync(file, `${JSON.stringify(event)}\n`, { mode: 0o600 });
      } catch (error) {
        // A full disk may have taken half of the line.
        try {
          readEvents(file);
        } catch {}
        throw error;
      }
    },
    /** The events of a run that is not active. */
    events(runId: string): RunEvent[] {
      if (read?.runId !== runId) read = { runId, events: readEvents(fileOf(runId, 'events.jsonl')) };
      return read.events;
    },
    /** To be called when a run is written to, deleted or repaired. */
    forgetEvents(runId: string): void {
      if (read?.runId === runId) read = null;
    },
    saveReport: (runId: string, report: Report): void => replaceFile(fileOf(runId, 'report.json'), report),
    report: (runId: string): Report | null => readJson(fileOf(runId, 'report.json')) as Report | null,
    /** Moves it to the trash. Returns its size, which becomes free when the trash is emptied. */
    remove(runId: string): number {
      const folder = join(top, runId);
      const freedBytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
      trash.take(folder, runId);
      if (read?.runId === runId) read = null;
      return freedBytes;
    },
  };
}

const nullableTime = z.number().nullable();
const stateSchema: z.ZodType<RunState> = z.discriminatedUnion('state', [
  z.object({ state: z.literal('queued') }),
  z.object({ state: z.literal('running'), step: z.string(), fraction: z.number() }),
  z.object({ state: z.literal('paused'), step: z.string(), fraction: z.number() }),
  z.object({ state: z.literal('done') }),
  z.object({ state: z.literal('failed'), code: z.string(), message: z.string() }),
  z.object({ state: z.literal('cancelled') }),
  z.object({ state: z.literal('interrupted') }),
]);
const recordSchema: z.ZodType<RunRecord> = z.object({
  title: z.string(),
  model: z.string(),
  roots: z.array(z.string()),
  createdAtEpochMs: z.number(),
  startedAtEpochMs: nullableTime,
  endedAtEpochMs: nullableTime,
  lastSeq: z.int().nonnegative(),
  state: stateSchema,
});

/**
 * The last line may be incomplete where its writer was killed: it is removed, so that the next event begins a line. Throws
 * while too many files are open: a log that is taken for empty would be begun anew.
 */
function readEvents(path: string): RunEvent[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return [];
  }
  const end = text.lastIndexOf('\n') + 1;
  if (end < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, end)));
  const events: RunEvent[] = [];
  for (const line of text.slice(0, end).split('\n')) {
    if (line === '') continue;
    const event = parsedJson(line) as RunEvent | null;
    // Events after a gap are not read; there is a gap only where the file was edited.
    if (event?.seq !== events.length + 1) break;
    events.push(event);
  }
  return events;
}
