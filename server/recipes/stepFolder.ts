// The folder of work that is done in steps: what was asked for in KIND.json, and the report of every finished step in steps/. Files
// appear complete or not at all, so whatever ends the work, it goes on from here.
import { createHash } from 'node:crypto';
import { lstat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isFile, isFolder } from '../checkpoint/folder';
import { readSealed, sealed } from '../checkpoint/sealed';
import { writeStagedFile } from '../checkpoint/stagedFile';
import { checkOutput, removeAbandonedIn, withStagedFolder } from '../checkpoint/stagedFolder';
import { UserError } from '../errors';
import { holdFolder, openToRead, withinContent } from '../files/contained';
import { withOutputPlace } from '../files/outputPlace';
import { removeTree } from '../files/remove';
import { makeFolder } from '../files/sync';
import { cannotRead, cannotWrite, nullIfMissing, systemCode } from '../shared/systemErrors';

/** A step, as far as its folder is concerned. */
interface FolderStep {
  readonly id: string;
  readonly recipe: object;
  /** Steps whose results it reads from disk. */
  readonly after: readonly string[];
}

/** What is kept of a finished step. */
export interface Kept<Report> {
  readonly elapsedMs: number;
  readonly report: Report;
}

export interface StepFolder<Step, Report> {
  /** null where the step has not been finished with these inputs. */
  kept(step: Step): Promise<Kept<Report> | null>;
  keep(step: Step, kept: Kept<Report>): Promise<void>;
  /** Files by their paths within the folder, and nothing else beside them in the folders that they lie in. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
}

export interface StepWork<Step, Begun> {
  /** Its file is KIND.json, and so it is called in sentences. */
  readonly kind: string;
  /** Folders in its own, `steps` among them. */
  readonly parts: readonly string[];
  /** Folders that are read: none of them may be written to. */
  readonly reads: readonly string[];
  readonly begun: Begun;
  /** Whether what was found in KIND.json can be what was written there. */
  isBegun(found: Begun): boolean;
  /** What the steps read, by what it contains. */
  readonly inputs: object;
  /** Where it is kept with these inputs, the steps are those of this work. */
  readonly first: Step;
  readonly firstInWords: string;
  /** @throws UserError where the work was begun with something else */
  refuseOther(out: string, then: Begun, now: Begun): void;
  say(text: string): void;
}

/**
 * Begins the work, or opens what was begun. Throws UserError of `refuseOther`, `badData` where it is damaged beyond use,
 * `cannotWrite` where something else lies there.
 */
export async function openStepFolder<Step extends FolderStep, Report, Begun extends object>(
  folder: string,
  work: StepWork<Step, Begun>,
): Promise<StepFolder<Step, Report>> {
  const out = resolve(folder);
  const { kind, inputs, say } = work;
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
  const stepIn = (step: Step) => withinContent(out, () => readSealed<StepFile<Report>>(fileOf(step)));
  const isOwn = async (step: Step) => {
    const found = await stepIn(step);
    return found.kind === 'read' && found.value.inputSha256 === fingerprint(step);
  };
  const begunFile = join(out, `${kind}.json`);
  if (!(await lstat(begunFile).catch(nullIfMissing))) {
    // One that ended before it had written down what it is holds nothing but that.
    if (await isFolder(out)) await withinContent(out, () => removeAbandonedIn(out));
    await checkOutput(out, [...work.reads]);
    await withOutputPlace(out, ({ name, parent }) => makeFolder(parent, name)).catch(refuse);
  }
  const isRestored = await withinContent(out, () => makeReady(out, work, () => isOwn(work.first))).catch(refuse);
  if (isRestored)
    say(`${begunFile} was damaged; it is written anew, since the ${work.firstInWords} beside it is its own.`);

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
      const { elapsedMs, report } = found.value;
      return { elapsedMs, report };
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
 * Writes down what was asked for, or sees that it is the same, and makes the folders in the work's own. True: what was written down
 * is damaged, and was restored, since `isOwn` says whose steps these are.
 */
async function makeReady<Step extends FolderStep, Begun extends object>(
  out: string,
  { kind, begun, isBegun, parts, refuseOther }: StepWork<Step, Begun>,
  isOwn: () => Promise<boolean>,
): Promise<boolean> {
  const begunFile = join(out, `${kind}.json`);
  const found = await readSealed<Begun>(begunFile);
  const then = found.kind === 'read' && isBegun(found.value) ? found.value : null;
  const isRestored = !then && found.kind !== 'absent';
  if (then) refuseOther(out, then, begun);
  else if (isRestored && !(await isOwn()))
    throw new UserError(
      'badData',
      `${begunFile} is damaged, so that its ${kind} cannot go on; give the ${kind} another out.`,
    );
  else await writeStagedFile(begunFile, sealedJson(begun));
  const held = await holdFolder(out);
  try {
    for (const part of parts) await makeFolder(held, part);
  } finally {
    await held.close();
  }
  // A link out of the folder is refused by this, too.
  for (const folder of [out, ...parts.map((part) => join(out, part))]) await removeAbandonedIn(folder);
  return isRestored;
}

async function writeFiles(out: string, files: Readonly<Record<string, string>>): Promise<void> {
  const inside = Object.keys(files).filter((path) => dirname(path) !== '.');
  for (const folder of new Set(inside.map(dirname))) {
    // A folder cannot take another's place in one step; work that is ended here writes it when it is run again.
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

/** A healing goes on from its last saved state; a folder that a step was killed behind is written again. */
export async function readyToRun<R extends { readonly kind: string }>(recipe: R): Promise<R> {
  const { out } = recipe as { out?: string };
  if (out === undefined) return recipe;
  if (recipe.kind === 'heal' && (await isFile(join(out, 'run', 'recipe.json')))) return { ...recipe, resume: true };
  await removeTree(out);
  return recipe;
}

interface StepFile<Report> extends Kept<Report> {
  readonly inputSha256: string;
}

/** How the work is computed is no part of what was asked for. */
export const asJson = (value: object): string =>
  `${JSON.stringify(value, (key, inner) => (key === 'compute' ? undefined : inner), 1)}\n`;

const sealedJson = (content: object): string => `${sealed(asJson(content))}\n`;
