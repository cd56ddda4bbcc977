// Finds and reads a task's documents in the folder that the user gives, whatever form they have there and however deep
// they lie.
import { readdir, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { FileReport } from '../../data/textSource';
import { UserError } from '../../errors';
import type { Form, Question, Task } from './task';
import type { Split } from '../../shared/tasks';

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
  const paths = await listed(folder);
  const strange: { path: string; expects: string }[] = [];
  for (const form of forms) {
    for (const found of placesOf(form, paths)) {
      const documents = await readAll(folder, form, found, paths);
      if (documents && documents.questions.length > 0) return documents;
      strange.push({ path: found[0]!, expects: form.expects });
    }
  }
  if (strange.length > 0) throw strangeFile(task, strange);
  throw noData(folder, task, split, forms);
}

/** The files of each place that has some. Of equal names the one that lies least deep is meant. */
function placesOf(form: Form, paths: readonly string[]): string[][] {
  return form.places.flatMap((place) => {
    const escaped = place.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*');
    const pattern = new RegExp(`^(?:.*/)?${escaped}$`);
    const matching = paths.filter((path) => pattern.test(path));
    const first = matching[0];
    if (first === undefined) return [];
    return [matching.filter((path) => posix.dirname(path) === posix.dirname(first))];
  });
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
    const part = await form.read(join(folder, path), beside && join(folder, beside));
    if (!part) return null;
    for (const question of part.questions) all.questions.push(question);
    all.files.push(...part.files);
  }
  return all;
}

// Deep enough for a hub snapshot within a folder of such, and a bound on what a home folder given by mistake costs.
const deepest = 6;
const mostPaths = 100_000;

/** Paths of all files relative to the folder, those that lie least deep first, then by name. */
async function listed(folder: string): Promise<string[]> {
  const found = await stat(folder).catch(() => null);
  if (!found?.isDirectory())
    throw new UserError('notFound', `There is no folder ${folder}; name the one with the data of the tasks.`);
  const files: string[] = [];
  let level = [''];
  for (let depth = 0; depth <= deepest && level.length > 0 && files.length < mostPaths; depth++) {
    const below: string[] = [];
    const here: string[] = [];
    for (const path of level) {
      const entries = await readdir(join(folder, path), { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        if (entry.name.startsWith('.')) continue;
        const inside = posix.join(path, entry.name);
        // A snapshot of the hub is made of links.
        const kind = entry.isSymbolicLink() ? await stat(join(folder, inside)).catch(() => null) : entry;
        if (kind?.isDirectory()) below.push(inside);
        else if (kind?.isFile()) here.push(inside);
      }
    }
    files.push(...here.sort());
    level = below.sort();
  }
  return files;
}

function strangeFile(task: Task, strange: readonly { path: string; expects: string }[]): UserError {
  const { path } = strange[0]!;
  const forms = [...new Set(strange.filter((it) => it.path === path).map((it) => it.expects))];
  return new UserError(
    'badData',
    `${path} holds no documents of ${task.name}: it needs ${forms.join(', or ')}; put the right file there.`,
  );
}

function noData(folder: string, task: Task, split: Split, forms: readonly Form[]): UserError {
  const places = forms.map((form) => form.places[0]).join(', ');
  const { dataset, config } = task.hub;
  const without = split === task.split ? '' : ', or take no examples';
  const source = config ? `${dataset} (${config})` : dataset;
  return new UserError(
    'notFound',
    `There is no data for ${task.name} (split ${split}) in ${folder}, where ${places} were looked for; ` +
      `get the split from ${source}, or name another folder${without}.`,
  );
}
