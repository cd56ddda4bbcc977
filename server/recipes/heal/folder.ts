// The folder of a healing: a PEFT folder from its first moment on, with the state of the run in `run/`. Whatever ends a run,
// what lies here is whole, and the run goes on from its last saved state as if nothing had been.
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Adapter, writeAdapterFiles } from '../../checkpoint/adapter';
import { writeBaseRecord } from '../../checkpoint/adapterBase';
import { openFileSource } from '../../checkpoint/byteSource';
import { isFile } from '../../checkpoint/folder';
import { readSafetensorsHeader, writeTensors } from '../../checkpoint/safetensors';
import { writeStaged, writeStagedFile } from '../../checkpoint/stagedFile';
import { removeAbandonedIn, withStagedFolder } from '../../checkpoint/stagedFolder';
import { isUserError, UserError } from '../../errors';
import type { HealRecipe } from './recipe';
import type { HealEval, HealStep } from '../../protocol/reports';
import { finiteJson } from '../../shared/finite';
import { withNamesOfNow } from '../../shared/earlierNames';
import { atTheBeginning, type Progress } from '../../training/loop';
import { csvHeader, csvLine, type Line, type References } from './metrics';
import { type Begun, readBegun, refuseOtherRun } from './identity';

/** What is known of a run so far. */
export interface Recorded {
  readonly progress: Progress;
  readonly references: References | null;
  readonly steps: HealStep[];
  readonly evals: HealEval[];
}

export interface HealFolder {
  readonly recorded: Recorded;
  /** The optimizer's tensors of the saved state; null at the beginning of a run. */
  readonly tensors: ReadonlyMap<string, Float32Array> | null;
  record(line: Line): Promise<void>;
  /** Puts an adapter at the folder's root, in place of the one there. */
  publish(adapter: Adapter): Promise<void>;
  save(progress: Progress, tensors: ReadonlyMap<string, Float32Array>): Promise<void>;
}

const runFolder = 'run';
const files = { begun: 'recipe.json', metrics: 'metrics.jsonl', csv: 'metrics.csv', state: 'state.json' } as const;

/** Makes the folder with an adapter that changes nothing yet. Throws UserError('cannotWrite') where it cannot be. */
export async function createHealFolder(recipe: HealRecipe, begun: Begun, fresh: Adapter): Promise<HealFolder> {
  const sources = [recipe.model, ...(recipe.adapter.init ? [recipe.adapter.init] : [])];
  await withStagedFolder(
    recipe.out,
    async (stage) => {
      await writeAdapterFiles(stage, fresh);
      if (begun.base) await writeBaseRecord(stage, begun.base);
      await mkdir(join(stage, runFolder));
      await writeFile(join(stage, runFolder, files.begun), `${JSON.stringify(begun, null, 1)}\n`);
      await writeFile(join(stage, runFolder, files.metrics), '');
      await writeFile(join(stage, runFolder, files.csv), csvHeader);
    },
    { sources },
  );
  return opened(recipe.out, { progress: atTheBeginning, references: null, steps: [], evals: [] }, null);
}

/** What the run in a folder was begun with. Throws UserError('notFound') where there is none. */
export async function begunIn(out: string): Promise<Begun> {
  const path = join(out, runFolder, files.begun);
  if (!(await isFile(path)))
    throw new UserError(
      'notFound',
      `${resolve(out)} holds no run to resume; leave out --resume to begin one, or give the folder of one.`,
    );
  return readBegun(await readFile(path, 'utf8'), path);
}

/**
 * Opens the folder of a run that ended early. Throws UserError `notFound` where there is none, `usage` where the run was begun
 * with other settings or data.
 */
export async function resumeHealFolder(recipe: HealRecipe, begun: Begun): Promise<HealFolder> {
  const at = (file: string) => join(recipe.out, runFolder, file);
  refuseOtherRun(await begunIn(recipe.out), begun, recipe.out);
  for (const folder of [recipe.out, join(recipe.out, runFolder)]) await removeAbandonedIn(folder);
  const saved = await readState(at);
  const recorded = await readRecorded(at(files.metrics), saved?.progress ?? atTheBeginning);
  // What was recorded after the saved state is made again, and would be there twice.
  await writeStagedFile(at(files.metrics), linesOf(recorded).map(jsonLine).join(''));
  await writeStagedFile(at(files.csv), csvHeader + linesOf(recorded).map(csvLine).join(''));
  return opened(recipe.out, recorded, saved?.tensors ?? null);
}

function opened(out: string, recorded: Recorded, tensors: HealFolder['tensors']): HealFolder {
  const at = (file: string) => join(out, runFolder, file);
  const guarded = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      throw isUserError(error) && error.code !== 'cannotWrite' ? error : cannotGoOn(out, error);
    }
  };
  return {
    recorded,
    tensors,
    record: (line) =>
      guarded(async () => {
        await appendFile(at(files.metrics), jsonLine(line));
        await appendFile(at(files.csv), csvLine(line));
      }),
    publish: (adapter) => guarded(() => writeAdapterFiles(out, adapter)),
    save: (progress, now) =>
      guarded(async () => {
        const file = `state-${progress.step}.safetensors`;
        const specs = [...now].map(([name, data]) => ({ name, dtype: 'F32' as const, shape: [data.length], data }));
        await writeStaged(at(file), (stage) => writeTensors(stage, specs, ({ data }) => [bytesUnder(data)]));
        await writeStagedFile(at(files.state), `${finiteJson({ ...progress, tensors: file })}\n`);
        for (const other of await readdir(join(out, runFolder)))
          if (/^state-\d+\.safetensors$/.test(other) && other !== file) await rm(at(other));
      }),
  };
}

async function readState(
  at: (file: string) => string,
): Promise<{ progress: Progress; tensors: Map<string, Float32Array> } | null> {
  if (!(await isFile(at(files.state)))) return null;
  const { tensors: file, ...progress } = withNamesOfNow(
    JSON.parse(await readFile(at(files.state), 'utf8')),
  ) as Progress & {
    tensors: string;
  };
  const source = await openFileSource(at(file));
  try {
    const tensors = new Map<string, Float32Array>();
    for (const { name, shape, offset } of (await readSafetensorsHeader(source)).tensors) {
      const data = new Float32Array(shape[0]!);
      await source.read(bytesUnder(data), offset);
      tensors.set(name, data);
    }
    return { progress, tensors };
  } finally {
    await source.close();
  }
}

/** The lines up to a state; one that a crash cut off is none. */
async function readRecorded(path: string, progress: Progress): Promise<Recorded> {
  const recorded: Recorded = { progress, references: null, steps: [], evals: [] };
  let references: Recorded['references'] = null;
  for (const text of (await readFile(path, 'utf8')).split('\n')) {
    const line = parsedLine(text);
    if (!line) continue;
    if ('references' in line) references = line.references;
    else if ('step' in line && line.step.step < progress.step) recorded.steps.push(line.step);
    else if ('evaluation' in line && line.evaluation.step <= progress.evaluatedAtStep)
      recorded.evals.push(line.evaluation);
  }
  return { ...recorded, references };
}

function parsedLine(text: string): Line | null {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}

/** In the order in which they happened: an evaluation after n steps comes before step n. */
function linesOf({ references, steps, evals }: Recorded): Line[] {
  const evaluation = new Map(evals.map((it) => [it.step, it]));
  const before = (step: number): Line[] => (evaluation.has(step) ? [{ evaluation: evaluation.get(step)! }] : []);
  return [
    ...(references ? [{ references }] : []),
    ...steps.flatMap((step) => [...before(step.step), { step }]),
    ...before(steps.length),
  ];
}

const jsonLine = (line: Line): string => `${finiteJson(line)}\n`;
const bytesUnder = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);

function cannotGoOn(out: string, error: unknown): UserError {
  const reason = error instanceof Error ? error.message.split(',')[0] : String(error);
  return new UserError(
    'cannotWrite',
    `The run in ${resolve(out)} cannot be recorded (${reason}); make room and go on from its last saved state with --resume.`,
  );
}
