// A run as it lies in its folder, from recipe.json and state.json. The recipe stands in both, and the log tells the states, so
// that either file restores the other. What cannot be restored, or was written by a later version, is lost to this server, not
// to its user: it stays in the list, with the reason.
import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { checkpointName } from '../checkpoint/folder';
import type { RunEvent, RunState, RunSummary } from '../protocol/server';
import { type Recipe, recipeSchema, subjectOf, titleOf } from '../recipes/kinds';
import { systemCode } from '../shared/systemErrors';
import { type Reserved, reservedBehind } from './eventNumbers';
import { type ReadJson, readJson } from './jsonFile';

/** state.json, which holds the recipe as well. */
export interface RunRecord {
  title: string;
  model: string;
  /** The resolved folders below which this run may read and write. None: they are not known any more. */
  roots: string[];
  createdAtEpochMs: number;
  startedAtEpochMs: number | null;
  endedAtEpochMs: number | null;
  lastSeq: number;
  /** null: no number beyond `lastSeq` has been given. Absent in files of earlier versions. */
  reserved?: Reserved | null;
  state: RunState;
}

export interface StoredRun {
  readonly runId: string;
  readonly recipe: Recipe;
  readonly record: RunRecord;
}

/** The record of a run that has just been requested. */
export function newRecord(recipe: Recipe, roots: readonly string[]): RunRecord {
  const model = subjectOf(recipe);
  return {
    title: titleOf(recipe.kind, checkpointName(model) || basename(model)),
    model,
    roots: [...roots],
    createdAtEpochMs: Date.now(),
    startedAtEpochMs: null,
    endedAtEpochMs: null,
    lastSeq: 0,
    reserved: reservedBehind(0),
    state: { state: 'queued' },
  };
}

export type FoundRun =
  | { readonly kind: 'whole'; readonly stored: StoredRun }
  /** One file was made from the others, which is to be said and written. */
  | { readonly kind: 'restored'; readonly stored: StoredRun; readonly said: string }
  | { readonly kind: 'lost'; readonly summary: RunSummary & { state: 'failed' } };

/** @param eventsOf the run's log, which is read only where it is needed */
export function findRun(folder: string, eventsOf: () => RunEvent[]): FoundRun {
  const runId = basename(folder);
  const files = { recipe: readJson(join(folder, 'recipe.json')), state: readJson(join(folder, 'state.json')) };
  const state = understood(stateSchema, files.state);
  const recipe = understood(recipeSchema, files.recipe);
  const { recipe: copy, ...record } = state ?? ({} as Partial<State>);
  if (recipe && state) return { kind: 'whole', stored: { runId, recipe, record: record as RunRecord } };
  const copied = recipeSchema.safeParse(copy);
  if (state && copied.success && isGone(files.recipe)) {
    const said = `recipe.json of this run ${inWords(files.recipe)}; it was restored from state.json.`;
    return { kind: 'restored', stored: { runId, recipe: copied.data, record: record as RunRecord }, said };
  }
  if (recipe && isGone(files.state)) {
    const said = `state.json of this run ${inWords(files.state)}; it was restored from its recipe and its log.`;
    try {
      return { kind: 'restored', stored: { runId, recipe, record: recordFrom(recipe, folder, eventsOf()) }, said };
    } catch (error) {
      const why = `state.json of this run ${inWords(files.state)}, and its log cannot be read (${systemCode(error)})`;
      return { kind: 'lost', summary: lostSummary(runId, folder, why, null) };
    }
  }
  const name = recipe ? 'state.json' : 'recipe.json';
  const why = `${name} of this run ${inWords(recipe ? files.state : files.recipe)}`;
  return { kind: 'lost', summary: lostSummary(runId, folder, why, state as RunRecord | null) };
}

const nullableTime = z.number().nullable();
const runState: z.ZodType<RunState> = z.discriminatedUnion('state', [
  z.object({ state: z.literal('queued') }),
  z.object({ state: z.literal('running'), step: z.string(), fraction: z.number() }),
  z.object({ state: z.literal('paused'), step: z.string(), fraction: z.number() }),
  z.object({ state: z.literal('done') }),
  z.object({ state: z.literal('failed'), code: z.string(), message: z.string() }),
  z.object({ state: z.literal('cancelled') }),
  z.object({ state: z.literal('interrupted') }),
]);
type State = z.infer<typeof stateSchema>;
/** Fields of later versions are kept when the file is written again. */
const stateSchema = z.looseObject({
  title: z.string(),
  model: z.string(),
  roots: z.array(z.string()),
  createdAtEpochMs: z.number(),
  startedAtEpochMs: nullableTime,
  endedAtEpochMs: nullableTime,
  lastSeq: z.int().nonnegative(),
  reserved: z.object({ upTo: z.int().nonnegative(), place: z.string() }).nullish(),
  state: runState,
});

function understood<T>(schema: z.ZodType<T>, file: ReadJson): T | null {
  const parsed = schema.safeParse(file.kind === 'read' ? file.value : null);
  return parsed.success ? parsed.data : null;
}

/** What cannot be read now, or is not understood, is not written anew. */
const isGone = ({ kind }: ReadJson): boolean => kind === 'absent' || kind === 'damaged';

function inWords(file: ReadJson): string {
  switch (file.kind) {
    case 'absent':
      return 'is missing';
    case 'damaged':
      return 'is damaged';
    case 'unreadable':
      return `cannot be read (${file.code})`;
    case 'read':
      return 'says what this version does not know; was it written by a later one?';
  }
}

function recordFrom(recipe: Recipe, folder: string, events: readonly RunEvent[]): RunRecord {
  const told = events.flatMap(({ atEpochMs, event }) => (event.kind === 'state' ? [{ atEpochMs, ...event }] : []));
  const last = told.at(-1);
  const known = runState.safeParse(last?.state);
  return {
    ...newRecord(recipe, []),
    createdAtEpochMs: events[0]?.atEpochMs ?? timeOf(folder),
    startedAtEpochMs: told.findLast(({ state }) => state.state === 'running')?.atEpochMs ?? null,
    endedAtEpochMs: last?.atEpochMs ?? null,
    lastSeq: events.at(-1)?.seq ?? 0,
    reserved: null,
    state: known.success ? known.data : { state: 'interrupted' },
  };
}

function lostSummary(
  runId: string,
  folder: string,
  why: string,
  record: RunRecord | null,
): RunSummary & { state: 'failed' } {
  const sentence = `${why.replace(/[^?]$/, '$&.')}`;
  return {
    runId,
    kind: 'unknown',
    title: record?.title ?? `Run ${runId.slice(0, 8)}`,
    model: record?.model ?? '',
    createdAtEpochMs: record?.createdAtEpochMs ?? timeOf(folder),
    startedAtEpochMs: record?.startedAtEpochMs ?? null,
    endedAtEpochMs: record?.endedAtEpochMs ?? null,
    lastSeq: record?.lastSeq ?? 0,
    host: null,
    state: 'failed',
    code: 'badData',
    message: `${sentence} It cannot be opened here, only deleted; its files are in ${folder}.`,
  };
}

function timeOf(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
