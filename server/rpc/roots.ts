// The folders below which a connection may name paths. Every path is resolved with all links before it is checked, and from
// then on the resolved one is used.
import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { UserError } from '../errors';
import { liesIn, outsideRoots } from '../files/contained';
import type { Recipe } from '../recipes/kinds';
import { mapPaths } from '../recipes/recipePaths';

export interface Roots {
  /** As they were resolved; a run keeps them. */
  readonly folders: readonly string[];
  /** The path with all links resolved; it may not exist yet. Throws UserError('outsideRoots'). */
  resolve(path: string): string;
  /** The same for a model's folder: what lies in it must not lead outside, either. */
  resolveModel(path: string): string;
  /** The recipe with all of its paths resolved. */
  resolveRecipe(recipe: Recipe): Recipe;
}

/** Folders that are not there, or no folders, are no roots. */
export const rootsOf = (folders: readonly string[]): Roots =>
  rootsWithin(folders.flatMap((folder) => (isAbsolute(folder) ? (realFolder(folder) ?? []) : [])));

/** Of folders that are resolved: what became of them since makes no difference. */
export function rootsWithin(resolved: readonly string[]): Roots {
  const within = (path: string) => resolved.some((root) => liesIn(path, root));
  const checked = (path: string): string => {
    if (!isAbsolute(path)) throw new UserError('outsideRoots', `${path} is not an absolute path; give one.`);
    const real = realPath(path);
    if (!within(real)) throw outsideRoots(path);
    return real;
  };
  /** Blobs of Hugging Face's cache have no ending, which says what a file holds: the link's own name stays. */
  const named = (path: string): string => {
    const real = checked(path);
    return extname(real) === extname(path) ? real : join(checked(dirname(path)), basename(path));
  };
  const model = (path: string): string => {
    const folder = checked(path);
    for (const entry of entriesOf(folder))
      if (entry.isSymbolicLink() && !within(realPath(join(folder, entry.name))))
        throw outsideRoots(join(folder, entry.name));
    return folder;
  };
  return {
    folders: resolved,
    resolve: checked,
    resolveModel: model,
    resolveRecipe: (recipe) => mapPaths(recipe, { model, read: named, write: checked }),
  };
}

function realFolder(folder: string): string | null {
  try {
    const real = realpathSync.native(folder);
    return statSync(real).isDirectory() ? real : null;
  } catch {
    return null;
  }
}

/**
 * Resolves the nearest ancestor that exists and appends what is missing. A dangling link is refused, since a write through it
 * would go where it points to.
 */
function realPath(path: string): string {
  let existing = resolve(path);
  const missing: string[] = [];
  for (;;) {
    try {
      return join(realpathSync.native(existing), ...missing);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || isDangling(existing) || dirname(existing) === existing)
        throw new UserError('outsideRoots', `${path} cannot be followed to its end; choose another path.`);
      missing.unshift(basename(existing));
      existing = dirname(existing);
    }
  }
}

function isDangling(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
