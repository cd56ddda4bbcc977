// The folder of a healing: a PEFT folder from its first moment on, with the state of the run in `run/`. Whatever ends a run,
// what lies here is whole, and the run goes on from its last saved state as if nothing had been.
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Adapter, adapterWeightsFile, writeAdapterConfig, writeAdapterFiles } from '../../checkpoint/adapter';
import { isFolder } from '../../checkpoint/folder';
import { writeBaseRecord } from '../../checkpoint/adapterBase';
import { sealed } from '../../checkpoint/sealed';
import { writeStagedFile } from '../../checkpoint/stagedFile';
import { removeAbandonedIn, withStagedFolder } from '../../checkpoint/stagedFolder';
import { isUserError, UserError } from '../../errors';
import { withinContent } from '../../files/contained';
import { appendText, readText, syncText } from '../../files/text';
import type { HealRecipe } from './recipe';
import { atTheBeginning, type Progress } from '../../training/loop';
import { isRecordedAdapter, recordAdapter } from './bestAdapter';
import { csvHeader, csvLine, type Line } from './metrics';
import { jsonLine, linesOf, readRecorded, type Recorded } from './metricsFile';
import { type Begun, readBegun, refuseOtherRun } from './identity';
import { begunInStates, readSavedState, removeOlderStates, saveState } from './savedState';

export interface HealFolder {
  readonly recorded: Recorded;
  /** What is damaged in it, a sentence each. */
  readonly said: readonly string[];
  /** The best adapter so far is lost: another is to be published in its place. */
  readonly lacksAdapter: boolean;
  /** The optimizer's tensors of the saved state; null at the beginning of a run. */
  readonly tensors: ReadonlyMap<string, Float32Array> | null;
  record(line: Line): Promise<void>;
  /** Puts an adapter at the folder's root, in place of the one there. */
  publish(adapter: Adapter): Promise<void>;
  save(progress: Progress, tensors: ReadonlyMap<string, Float32Array>): Promise<void>;
}

const runFolder = 'run';
const files = { begun: 'recipe.json', metrics: 'metrics.jsonl', csv: 'metrics.csv' } as const;

/** Makes the folder with an adapter that changes nothing yet. Throws UserError('cannotWrite') where it cannot be. */
export async function createHealFolder(recipe: HealRecipe, begun: Begun, fresh: Adapter): Promise<HealFolder> {
  const sources = [recipe.model, ...(recipe.adapter.init ? [recipe.adapter.init] : [])];
  await withStagedFolder(
    recipe.out,
    async (stage) => {
      await writeAdapterFiles(stage, fresh);
      if (begun.base) await writeBaseRecord(stage, begun.base);
      await mkdir(join(stage, runFolder));
      await writeFile(join(stage, runFolder, files.begun), begunText(begun));
      await recordAdapter(join(stage, runFolder), fresh);
      await writeFile(join(stage, runFolder, files.metrics), '');
      await writeFile(join(stage, runFolder, files.csv), csvHeader);
    },
    { sources },
  );
  const recorded: Recorded = { progress: atTheBeginning, references: null, steps: [], evals: [] };
  return { ...opened(recipe.out, begun), recorded, said: [], lacksAdapter: false, tensors: null };
}

/** What the run in a folder was begun with. Throws UserError('notFound') where there is none. */
export async function begunIn(out: string): Promise<Begun> {
  if (await isFolder(out)) return withinContent(out, () => begunWithin(out));
  throw noRun(out);
}

async function begunWithin(out: string): Promise<Begun> {
  const path = join(out, runFolder, files.begun);
  const text = await begunTextIn(path);
  const begun = readBegun(text ?? '') ?? (await begunInStates(join(out, runFolder)));
  if (begun) return begun;
  if (text === null) throw noRun(out);
  throw new UserError('badData', `${path} is damaged, so that its run cannot be resumed; begin a new one.`);
}

const noRun = (out: string) =>
  new UserError(
    'notFound',
    `${resolve(out)} holds no run to resume; leave out --resume to begin one, or give the folder of one.`,
  );

/** null: there is none. */
const begunTextIn = (path: string): Promise<string | null> =>
  readText(path).catch((error: NodeJS.ErrnoException) => {
    if (['ENOENT', 'ENOTDIR'].includes(error.code ?? '')) return null;
    if (['EISDIR', 'ELOOP'].includes(error.code ?? '')) return '';
    throw error;
  });

/**
 * Opens the folder of a run that ended early. Throws UserError `notFound` where there is none, `usage` where the run was begun
 * with other settings or data.
 */
export const resumeHealFolder = ({ out }: HealRecipe, begun: Begun, fresh: Adapter): Promise<HealFolder> =>
  withinContent(out, () => resumeWithin(out, begun, fresh));

async function resumeWithin(out: string, begun: Begun, fresh: Adapter): Promise<HealFolder> {
  const at = (file: string) => join(out, runFolder, file);
  refuseOtherRun(await begunIn(out), begun, out);
  for (const folder of [out, join(out, runFolder)]) await removeAbandonedIn(folder);
  const { state, said } = await readSavedState(join(out, runFolder));
  const saved = state?.progress ?? atTheBeginning;
  const { recorded, said: missing } = await readRecorded(at(files.metrics), saved);
  const isKept = await isRecordedAdapter(out, join(out, runFolder));
  const lost = isKept ? [] : [lostAdapterSentence(out, saved)];
  await removeOlderStates(join(out, runFolder));
  // What was recorded after the saved state is made again, and would be there twice.
  await writeStagedFile(at(files.metrics), linesOf(recorded).map(jsonLine).join(''));
  await writeStagedFile(at(files.csv), csvHeader + linesOf(recorded).map(csvLine).join(''));
  if (!readBegun((await begunTextIn(at(files.begun))) ?? '')) {
    missing.push(`${at(files.begun)} was damaged; it is written anew from the saved state.`);
    await writeStagedFile(at(files.begun), begunText(state?.begun ?? begun));
  }
  await writeAdapterConfig(out, fresh);
  return {
    ...opened(out, begun),
    recorded: isKept ? recorded : { ...recorded, progress: { ...saved, best: null, sinceBest: 0 } },
    said: [...said, ...missing, ...lost],
    lacksAdapter: !isKept,
    tensors: state?.tensors ?? null,
  };
}

function opened(out: string, begun: Begun): Pick<HealFolder, 'record' | 'publish' | 'save'> {
  const at = (file: string) => join(out, runFolder, file);
  const guarded = async (work: () => Promise<void>) => {
    try {
      await withinContent(out, work);
    } catch (error) {
      throw isUserError(error) && error.code !== 'cannotWrite' ? error : cannotGoOn(out, error);
    }
  };
  return {
    record: (line) =>
      guarded(async () => {
        await appendText(at(files.metrics), jsonLine(line));
        await appendText(at(files.csv), csvLine(line));
      }),
    publish: (adapter) =>
      guarded(async () => {
        await recordAdapter(join(out, runFolder), adapter);
        await writeAdapterFiles(out, adapter);
      }),
    save: (progress, now) =>
      guarded(async () => {
        // Steps that a state has behind it are not made again.
        for (const file of [files.metrics, files.csv]) await syncText(at(file));
        await saveState(join(out, runFolder), progress, begun, now);
      }),
  };
}

const begunText = (begun: Begun): string => `${sealed(JSON.stringify(begun, null, 1))}\n`;

const lostAdapterSentence = (out: string, { step }: Progress): string =>
  `${join(out, adapterWeightsFile)} is damaged; in its place is the adapter after ${step} steps, where the run goes on.`;

function cannotGoOn(out: string, error: unknown): UserError {
  const reason = error instanceof Error ? error.message.split(',')[0] : String(error);
  return new UserError(
    'cannotWrite',
    `The run in ${resolve(out)} cannot be recorded (${reason}); make room and go on from its last saved state with --resume.`,
  );
}
