// The folder of a study: what was asked for in study.json, the report of every finished step in steps/, adapters, and models
// for as long as they are needed. Files appear complete or not at all, so whatever ends a study, it goes on from here.
import { createHash } from 'node:crypto';
import { lstat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isFolder } from '../../checkpoint/folder';
import { readSealed, sealed } from '../../checkpoint/sealed';
import { writeStagedFile } from '../../checkpoint/stagedFile';
import { checkOutput, removeAbandonedIn, withStagedFolder } from '../../checkpoint/stagedFolder';
import { UserError } from '../../errors';
import { holdFolder, openToRead, withinContent } from '../../files/contained';
import { withOutputPlace } from '../../files/outputPlace';
import { removeTree } from '../../files/remove';
import { makeFolder } from '../../files/sync';
import { cannotRead, cannotWrite, nullIfMissing, systemCode } from '../../shared/systemErrors';
import { withNamesOfNow } from '../../shared/earlierNames';
import type { StudyRecipe } from './recipe';
import type { Report } from '../kinds';
import { firstDifference } from '../firstDifference';
import { analysisStep, type Step } from './steps';

/** A step that came to a number that is not finite; or it was not carried out, since nothing is left that it is about. */
export interface LostStep {
  readonly kind: 'lost';
  readonly sentence: string;
}

/** What is kept of a finished step. */
export interface KeptStep {
  readonly elapsedMs: number;
  readonly report: Report | LostStep;
}

export interface CarriedStep extends KeptStep {
  /** It was there when the study was run this time. */
  readonly doneBefore: boolean;
}

/** What a study reads, by what it contains. */
export interface StudyInputs {
  readonly modelSha256: string;
  readonly filesSha256: Readonly<Record<string, string>>;
}

/** By task. No part of StudyInputs: a study that was begun without them goes on. */
export type TaskHashes = Readonly<Record<string, string>>;

export interface StudyFolder {
  /** null where the step has not been finished with these inputs. */
  kept(step: Step): Promise<KeptStep | null>;
  keep(step: Step, kept: KeptStep): Promise<void>;
  /** Files by their paths within the folder, and nothing else beside them in the folders that they lie in. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
}

const parts = ['steps', 'models', 'adapters'] as const;

/**
 * Begins a study, or opens one that was begun with the same recipe. Throws UserError `usage` for a study of another recipe,
 * `badData` where a text or the model has changed since, `cannotWrite` where something else lies there.
 */
export async function openStudyFolder(
  recipe: StudyRecipe,
  inputs: StudyInputs,
  tasksSha256: TaskHashes | null,
  say: (text: string) => void,
): Promise<StudyFolder> {
  const out = resolve(recipe.out);
  const refuse = (error: unknown): never => {
    throw cannotWrite(error, out);
  };
  const fileOf = ({ id }: Step) => join(out, 'steps', `${id}.json`);
  const prints = new Map<string, string>();
  /** What a step's result depends on: its recipe, the inputs, and the steps whose results it reads. */
  function fingerprint({ id, recipe: ofStep, after }: Step): string {
    const before = after.map((other) => prints.get(other));
    const print = sha256(asJson({ recipe: ofStep, inputs, before }));
    prints.set(id, print);
    return print;
  }
  const stepIn = (step: Step) => withinContent(out, () => readSealed<StepFile>(fileOf(step)));
  const isOwn = async (step: Step) => {
    const found = await stepIn(step);
    return found.kind === 'read' && found.value.inputSha256 === fingerprint(step);
  };
  if (!(await lstat(join(out, 'study.json')).catch(nullIfMissing))) {
    // One that ended before it had written down what it is holds nothing but that.
    if (await isFolder(out)) await withinContent(out, () => removeAbandonedIn(out));
    await checkOutput(out, [recipe.model]);
    await withOutputPlace(out, ({ name, parent }) => makeFolder(parent, name)).catch(refuse);
  }
  const begun: Begun = { recipe, inputs, tasksSha256 };
  const isRestored = await withinContent(out, () => makeReady(out, begun, () => isOwn(analysisStep(recipe)))).catch(
    refuse,
  );
  if (isRestored)
    say(`${join(out, 'study.json')} was damaged; it is written anew, since the analysis beside it is its own.`);

  /** A step may be looked for more than once. */
  const told = new Set<string>();
  return {
    async kept(step) {
      const inputSha256 = fingerprint(step);
      const found = await stepIn(step);
      if (found.kind === 'damaged' && !told.has(step.id)) {
        told.add(step.id);
        say(`${fileOf(step)} is damaged; its step is done again.`);
      }
      if (found.kind !== 'read' || found.value.inputSha256 !== inputSha256) return null;
      return { elapsedMs: found.value.elapsedMs, report: found.value.report };
    },
    keep: (step, { elapsedMs, report }) =>
      withinContent(out, () =>
        writeStagedFile(
          fileOf(step),
          sealedJson({ id: step.id, inputSha256: fingerprint(step), elapsedMs, recipe: step.recipe, report }),
        ),
      ),
    write: (files) => withinContent(out, () => writeFiles(out, files)).catch(refuse),
  };
}

/**
 * Writes down what was asked for, or sees that it is the same, and makes the folders in the study's own. True: what was written down
 * is damaged, and was restored, since `isOwn` says whose steps these are.
 */
async function makeReady(out: string, begun: Begun, isOwn: () => Promise<boolean>): Promise<boolean> {
  const begunFile = join(out, 'study.json');
  const found = await readSealed<Begun>(begunFile);
  const then = found.kind === 'read' && found.value.recipe && found.value.inputs ? found.value : null;
  const isRestored = !then && found.kind !== 'absent';
  if (then) refuseOther(out, then, begun);
  else if (isRestored && !(await isOwn()))
    throw new UserError(
      'badData',
      `${begunFile} is damaged, so that its study cannot go on; give the study another out.`,
    );
  else await writeStagedFile(begunFile, sealedJson(begun));
  const held = await holdFolder(out);
  try {
    for (const part of parts) await makeFolder(held, part);
  } finally {
    await held.close();
  }
  // A link out of the study is refused by this, too.
  for (const folder of [out, ...parts.map((part) => join(out, part))]) await removeAbandonedIn(folder);
  return isRestored;
}

async function writeFiles(out: string, files: Readonly<Record<string, string>>): Promise<void> {
  const inside = Object.keys(files).filter((path) => dirname(path) !== '.');
  for (const folder of new Set(inside.map(dirname))) {
    // A folder cannot take another's place in one step; a study that is ended here writes it when it is run again.
    await removeTree(join(out, folder));
    await withStagedFolder(join(out, folder), async (stage) => {
      for (const path of inside.filter((it) => dirname(it) === folder))
        await writeFile(join(stage, basename(path)), files[path]!);
    });
  }
  for (const [path, text] of Object.entries(files))
    if (!inside.includes(path)) await writeStagedFile(join(out, path), text);
}

/** Hashes of files that may be large. */
export async function hashFiles(paths: readonly string[]): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const path of [...new Set(paths)]) {
    const hash = createHash('sha256');
    try {
      for await (const chunk of (await openToRead(path)).createReadStream()) hash.update(chunk as Buffer);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw cannotRead(error, path);
      throw new UserError('notFound', `There is no file ${path}; give another file, or its right place.`);
    }
    hashes[path] = hash.digest('hex');
  }
  return hashes;
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

interface Begun {
  readonly recipe: StudyRecipe;
  readonly inputs: StudyInputs;
  /** Absent in a study of a build that did not look at them. */
  readonly tasksSha256?: TaskHashes | null;
}

interface StepFile extends KeptStep {
  readonly inputSha256: string;
}

function refuseOther(out: string, then: Begun, now: Begun): void {
  const asWritten = withNamesOfNow(JSON.parse(asJson(now.recipe))) as object;
  const other = firstDifference(then.recipe, asWritten);
  if (other)
    throw new UserError(
      'usage',
      `The study in ${out} was begun with ${other.name} = ${other.before}, not ${other.after}; go on with that, or give this one another out.`,
    );
  const changed = firstDifference(then.inputs.filesSha256, now.inputs.filesSha256)?.name;
  const task = then.tasksSha256 && firstDifference(then.tasksSha256, now.tasksSha256 ?? {})?.name;
  const changedInput = changed ?? (task && `The data of ${task}`);
  const what = then.inputs.modelSha256 === now.inputs.modelSha256 ? changedInput : now.recipe.model;
  if (what)
    throw new UserError(
      'badData',
      `${what} is not what it was when the study in ${out} was begun; put it back, or give this study another out.`,
    );
}

/** How the work is computed is no part of what was asked for. */
const asJson = (value: object): string =>
  `${JSON.stringify(value, (key, inner) => (key === 'compute' ? undefined : inner), 1)}\n`;

const sealedJson = (content: object): string => `${sealed(asJson(content))}\n`;
