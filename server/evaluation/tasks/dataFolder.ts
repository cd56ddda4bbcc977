// Finds and reads a task's documents in the folder that the user gives, whatever form they have there and however deep
// they lie.
import { lstat, readdir, stat } from 'node:fs/promises';
import { join, posix, resolve, sep } from 'node:path';
import { arrowFile, type FileReport } from '../../data/textSource';
import { isUserError, UserError } from '../../errors';
import { refuseElsewhere, readTextInside, resolveInside, withinDownload } from '../../files/contained';
import type { Form, Question, Task } from './task';
import { areAllParts, patternOf } from '../../shared/dataSetFiles';
import type { Split } from '../../shared/tasks';
import { nullIfMissing } from '../../shared/systemErrors';

export interface Documents {
  questions: Question[];
  files: FileReport[];
}

/**
 * All questions of a split, in their order.
 * @throws UserError notFound without data, badData for files that are of no form of the task
 */
export async function readQuestions(folder: string, task: Task, split: Split): Promise<Documents> {
  const forms = task.forms(split);
  const { files, linksOut } = await listed(folder);
  const paths = await withoutOtherRevisions(folder, files);
  const strange: { path: string; expects: string }[] = [];
  for (const form of forms) {
    for (const found of placesOf(form, folder, paths)) {
      if (!areAllParts(found)) throw partsMissing(folder, found);
      const documents = await readAll(folder, form, found, paths);
      if (documents && documents.questions.length > 0) return documents;
      strange.push({ path: found[0]!, expects: form.expects });
    }
  }
  if (strange.length > 0) throw strangeFile(task, strange);
  const arrow = paths.find((path) => path.endsWith('.arrow'));
  if (arrow !== undefined) throw arrowFile(join(folder, arrow));
  throw noData(folder, task, split, forms, linksOut);
}

/**
 * The files of each place that has some. Of equal names the one that lies least deep is meant. The folder's own name counts, too,
 * so that the folder of one set may be given; a place that begins with `./` is that of the only set in the folder.
 */
function placesOf(form: Form, folder: string, paths: readonly string[]): string[][] {
  const above = resolve(folder).split(sep).join('/');
  const whole = paths.map((path) => withoutCache(`${above}/${path}`));
  const inside = paths.map((path) => withoutCache(path).replace(/^snapshots\/[^/]+\//, ''));
  return form.places.flatMap((place) => {
    const isOnly = place.startsWith('./');
    const inFolder = patternOf(place.replace(/^\.\//, ''));
    const pattern = new RegExp(`^${isOnly ? '' : '(?:.*/)?'}${inFolder}(?:\\.gz|\\.zst)?$`);
    const matching = paths.filter((_, i) => pattern.test((isOnly ? inside : whole)[i]!));
    const first = matching[0];
    if (first === undefined) return [];
    return [matching.filter((path) => posix.dirname(path) === posix.dirname(first))];
  });
}

/** `datasets--owner--name/snapshots/revision/x` of Hugging Face's cache as what it stands for: `owner/name/x`. */
const withoutCache = (path: string): string =>
  path.replace(/(^|\/)datasets--([^/]+)\/snapshots\/[^/]+\//, (_, before: string, repository: string) => {
    return `${before}${repository.split('--').join('/')}/`;
  });

/** Of several revisions of a set in the cache the one that is its main one, or else was fetched last. */
async function withoutOtherRevisions(folder: string, files: readonly Listed[]): Promise<string[]> {
  const above = resolve(folder).split(sep).join('/');
  // A revision that was given itself is the one that is meant.
  const placeOf = ({ path }: Listed) => {
    const found = /^(.*\/datasets--[^/]+)\/snapshots\/([^/]+)\//.exec(`${above}/${path}`);
    return found && found[0].length > above.length + 1 ? { set: found[1]!, revision: found[2]! } : null;
  };
  const meant = new Map<string, string>();
  for (const file of [...files].sort((one, other) => other.changedMs - one.changedMs)) {
    const place = placeOf(file);
    if (!place || meant.has(place.set)) continue;
    const main = await readTextInside(place.set, join('refs', 'main')).catch(noneIfUnusable);
    const isThere = files.some((other) => placeOf(other)?.revision === main.trim());
    meant.set(place.set, isThere ? main.trim() : place.revision);
  }
  const isMeant = (file: Listed) => {
    const place = placeOf(file);
    return !place || meant.get(place.set) === place.revision;
  };
  return files.filter(isMeant).map(({ path }) => path);
}

/** What the system does not give now would let another revision be taken. */
function noneIfUnusable(error: unknown): string {
  return isUserError(error) && error.code !== 'cannotRead' ? '' : (nullIfMissing(error) ?? '');
}

/** null: of another form. */
async function readAll(
  folder: string,
  form: Form,
  found: readonly string[],
  paths: readonly string[],
): Promise<Documents | null> {
  const all: Documents = { questions: [], files: [] };
  for (const path of found) {
    const beside = form.beside && posix.join(posix.dirname(path), form.beside);
    if (beside && !paths.includes(beside))
      throw new UserError('notFound', `There is no ${form.beside} beside ${path} in ${folder}; put both there.`);
    for (const each of beside ? [path, beside] : [path]) await resolveInside(folder, each);
    const part = await withinDownload(folder, () => form.read(join(folder, path), beside && join(folder, beside)));
    if (!part) return null;
    for (const question of part.questions) all.questions.push(question);
    all.files.push(...part.files);
  }
  return all;
}

// Deep enough for a hub snapshot within a folder of such, and a bound on what a home folder given by mistake costs.
const deepest = 6;
const mostPaths = 100_000;

interface Listed {
  readonly path: string;
  /** When its link was made, or it was written. */
  readonly changedMs: number;
}

/** What Hugging Face's cache has beside snapshots of data sets. */
const notData = /^(models|spaces)--|^(blobs|refs|\.no_exist)$/;

interface Listing {
  /** Relative to the folder, those that lie least deep first, then by name. */
  readonly files: readonly Listed[];
  /** Folders in it that are links out of it; nothing is looked for there. */
  readonly linksOut: readonly string[];
}

async function listed(folder: string): Promise<Listing> {
  const found = await stat(folder).catch(nullIfMissing);
  if (found?.isFile())
    throw new UserError('notFound', `${folder} is a file; name the folder with the data of the tasks that it lies in.`);
  if (!found?.isDirectory())
    throw new UserError('notFound', `There is no folder ${folder}; name the one with the data of the tasks.`);
  await refuseElsewhere(folder);
  const files: Listed[] = [];
  const linksOut: string[] = [];
  let level = [''];
  for (let depth = 0; depth <= deepest && level.length > 0 && files.length < mostPaths; depth++) {
    const below: string[] = [];
    const here: Listed[] = [];
    for (const path of level) {
      const entries = (await readdir(join(folder, path), { withFileTypes: true }).catch(nullIfMissing)) ?? [];
      for (const entry of entries) {
        if (entry.name.startsWith('.') || notData.test(entry.name)) continue;
        const inside = posix.join(path, entry.name);
        // A snapshot of the hub is made of links.
        const kind = entry.isSymbolicLink() ? await stat(join(folder, inside)).catch(nullIfMissing) : entry;
        if (kind?.isDirectory()) ((await leadsOut(folder, inside)) ? linksOut : below).push(inside);
        else if (kind?.isFile()) here.push({ path: inside, changedMs: await changedAt(folder, inside) });
      }
    }
    files.push(...here.sort((a, b) => (a.path < b.path ? -1 : 1)));
    level = below.sort();
  }
  return { files, linksOut };
}

const leadsOut = (folder: string, path: string): Promise<boolean> =>
  resolveInside(folder, path).then(
    () => false,
    (error) => isUserError(error),
  );

/** Only snapshots need it. */
const changedAt = async (folder: string, path: string): Promise<number> =>
  /(^|\/)snapshots\//.test(path) ? ((await lstat(join(folder, path)).catch(nullIfMissing))?.mtimeMs ?? 0) : 0;

const partsMissing = (folder: string, [path]: readonly string[]): UserError =>
  new UserError(
    'notFound',
    `Not all parts that ${path} is one of are in ${folder}; get the others, as their names count them.`,
  );

function strangeFile(task: Task, strange: readonly { path: string; expects: string }[]): UserError {
  const { path } = strange[0]!;
  const forms = [...new Set(strange.filter((it) => it.path === path).map((it) => it.expects))];
  return new UserError(
    'badData',
    `${path} holds no documents of ${task.name}: it needs ${forms.join(', or ')}; put the right file there.`,
  );
}

function noData(
  folder: string,
  task: Task,
  split: Split,
  forms: readonly Form[],
  linksOut: readonly string[],
): UserError {
  const places = forms.map((form) => form.places[0]).join(', ');
  const { dataset, config } = task.hub;
  const without = split === task.split ? '' : ', or take no examples';
  const [link] = linksOut;
  const notFollowed = link ? ` ${link} is a link out of it, which is not followed; name what it leads to.` : '';
  const source = config ? `${dataset} (${config})` : dataset;
  return new UserError(
    'notFound',
    `There is no data for ${task.name} (split ${split}) in ${folder}, where ${places} were looked for; ` +
      `leave --data out after \`espalier pull --task ${task.name}\`, get the split from ${source}, or name another folder${without}.${notFollowed}`,
  );
}
