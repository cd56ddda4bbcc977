// What a recipe reads and writes, by its declaration, and the rule that no output goes over an input.
import { basename, dirname, resolve } from 'node:path';
import { type ReadPlace, refuseOverwriting, refuseSamePlace } from '../checkpoint/readPlaces';
import { UserError } from '../errors';
import { withOwner } from '../files/owner';
import { kinds, type Recipe } from './kinds';
import { replaceMeant } from './meanings';
import type { PathTarget } from './recipeKind';
import { isMadeByStep } from './recipePaths';

export interface RecipePlaces {
  readonly reads: readonly ReadPlace[];
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

export function placesOf(recipe: Recipe): RecipePlaces {
  const paths: { path: string; to: PathTarget }[] = [];
  replaceMeant(kinds[recipe.kind].schema, recipe, (value, meaning) => {
    if (meaning.is === 'path' && !isMadeByStep(recipe, value as string))
      paths.push({ path: value as string, to: meaning.to });
    return value;
  });
  const of = (to: PathTarget) => paths.filter((it) => it.to === to).map(({ path }) => path);
  return {
    reads: paths.flatMap(({ path, to }) => (readAs[to] ? [{ path, as: readAs[to] }] : [])),
    files: of('outputFile'),
    folders: of('outputFolder'),
  };
}

/** Names of what a written folder is made of; a report of such a name would take its place. */
const partOfFolder =
  /\.safetensors(\.index\.json)?$|\.jinja$|\.csv$|^(config|\w+_config|\w+_map|\w+_tokens|espalier|tokenizer|vocab|study|pipeline)\.json$/;

function refusePartOf(folder: string, output: string): void {
  if (dirname(resolve(output)) !== resolve(folder) || !partOfFolder.test(basename(output))) return;
  throw new UserError(
    'cannotWrite',
    `${resolve(output)} would go over a part of ${resolve(folder)}, which is being made; choose another name.`,
  );
}

/** null: it is written. */
const readAs: Record<PathTarget, ReadPlace['as'] | null> = {
  modelFolder: 'model',
  adapterFolder: 'model',
  inputFile: 'data',
  inputFolder: 'data',
  outputFile: null,
  outputFolder: null,
};

/** What is written and read beside a recipe: its report, and the file that it stands in. */
export interface Beside {
  readonly report?: string | undefined;
  readonly recipeFile?: string | undefined;
}

/** @throws UserError `cannotWrite` or `usage` where an output would go over something that is read, or over another output. */
export async function checkOutputPlaces(recipe: Recipe, { report, recipeFile }: Beside = {}): Promise<void> {
  const { reads, files, folders } = placesOf(recipe);
  const all = recipeFile === undefined ? reads : [...reads, { path: recipeFile, as: 'data' as const }];
  const written = report === undefined ? files : [...files, report];
  // Only --json is standard output; a file of that name is hardly what is meant.
  if (files.includes('-')) throw new UserError('usage', 'Only --json - is standard output; name a file in place of -.');
  for (const output of [...written, ...folders]) await refuseOverwriting(output, all);
  // What is in a folder that is made or gone on with stays, too.
  const made = folders.map((path) => ({ path, as: 'data' as const }));
  for (const output of written) {
    await refuseOverwriting(output, made);
    for (const folder of folders) refusePartOf(folder, output);
  }
  await refuseSamePlace([...written, ...folders]);
}

/**
 * Owns the folders that a recipe writes for the time of `body`.
 * @throws UserError `cannotWrite` where another process does
 */
export const owningOutputs = <T>(recipe: Recipe, body: () => Promise<T>): Promise<T> =>
  placesOf(recipe).folders.reduceRight<() => Promise<T>>(
    (inner, folder) => () => withOwner(folder, recipe.kind, inner),
    body,
  )();
