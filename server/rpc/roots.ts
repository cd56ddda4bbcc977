// The folders that a connection may name paths in. Paths are compared as the disk has them, after all symbolic links, so a
// link inside a root that leads out of it is outside.
import { lstat, readdir, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { UserError } from '../errors';
import type { Recipe } from '../protocol';

/** Roots as they are on disk; those that do not exist (yet) as they would be. */
export function canonicalRoots(roots: readonly string[]): Promise<string[]> {
  return Promise.all(
    roots.map((root) => {
      if (!isAbsolute(root)) throw new UserError('usage', `The root ${root} is not absolute; send absolute folders.`);
      return canonical(root);
    }),
  );
}

/** Throws unless every path of the recipe, and everything that is read through it, lies in a root. */
export async function checkRecipePaths(recipe: Recipe, roots: readonly string[]): Promise<void> {
  const { folders, files } = pathsOf(recipe);
  await Promise.all([
    ...folders.map((folder) => checkModelFolder(folder, roots)),
    ...files.map((file) => checkPath(file, roots)),
  ]);
}

/** A model folder may be made of links, as in the cache of Hugging Face; each of them counts. */
export async function checkModelFolder(folder: string, roots: readonly string[]): Promise<void> {
  await checkPath(folder, roots);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  await Promise.all(
    entries.filter((entry) => entry.isSymbolicLink()).map((entry) => checkPath(join(folder, entry.name), roots)),
  );
}

/** Throws unless the path, which need not exist, lies in a root. */
export async function checkPath(path: string, roots: readonly string[]): Promise<void> {
  if (!isAbsolute(path) || path.includes('\0'))
    throw new UserError('usage', `The path ${JSON.stringify(path)} is not absolute; send absolute paths.`);
  const real = await canonical(path);
  if (roots.some((root) => liesIn(real, root))) return;
  throw new UserError(
    'outsideRoots',
    `${path} lies outside the folders that Espalier may use here; open its folder in the workspace, or add it to the setting espalier.modelFolders.`,
  );
}

function pathsOf(recipe: Recipe): { folders: string[]; files: string[] } {
  const folders = 'models' in recipe ? recipe.models : [recipe.model];
  const files: string[] = [];
  if ('source' in recipe && recipe.source)
    files.push(...(recipe.source.kind === 'ids' ? [recipe.source.file] : recipe.source.files));
  if ('out' in recipe) files.push(recipe.out);
  if ('mergekit' in recipe && recipe.mergekit !== null) files.push(recipe.mergekit);
  return { folders, files };
}

/** The real path of what exists of it, and the rest as it is. */
async function canonical(path: string): Promise<string> {
  const plain = resolve(path);
  try {
    return await realpath(plain);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') return refuse(path, code);
    // A link to nothing: writing through it would make a file wherever it leads.
    if (await isThere(plain)) return refuse(path, 'it is a broken link');
    const parent = dirname(plain);
    return parent === plain ? plain : join(await canonical(parent), basename(plain));
  }
}

function refuse(path: string, reason: string | undefined): never {
  throw new UserError('outsideRoots', `${path} cannot be followed to its end (${reason}); name another path.`);
}

const isThere = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  );

const liesIn = (path: string, root: string) =>
  path === root || path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`);
