// The folder for a pruned or healed model, or for an adapter: by default beside the model, under the first free name. Pure:
// the caller says what exists.
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { freeName, holds } from '../trees/labels';
import { modelName, type ModelRoot } from '../trees/modelNodes';

export interface OutPlace {
  /** The new folder is made in this one. */
  readonly parent: string;
  readonly name: string;
}

/** Beside the model, unless that is the cache of the Hub: its layout belongs to other tools, so nothing is written there. */
export function defaultOutput(
  model: string,
  roots: readonly ModelRoot[],
  exists: (path: string) => boolean,
  what = 'pruned',
): OutPlace {
  const writable = roots.filter(({ kind }) => kind !== 'cache');
  const beside = dirname(model);
  const parent = writable.some(({ folder }) => holds(folder, beside)) ? beside : (writable[0]?.folder ?? beside);
  const base = basename(modelName(model));
  return { parent, name: freeName(base, (name) => exists(join(parent, name)), what) };
}

/** A name stands for a folder in `parent`, an absolute path for itself. */
export const outputPath = (parent: string, text: string): string => resolve(parent, text.trim());

/** The problem with the typed name in a sentence; null: there is none. */
export function outputProblem(
  parent: string,
  text: string,
  roots: readonly ModelRoot[],
  exists: (path: string) => boolean,
): string | null {
  const typed = text.trim();
  if (typed === '' || (!isAbsolute(typed) && /[:*?"<>|]/.test(typed))) return 'Give a name for a folder.';
  const out = outputPath(parent, typed);
  const writable = roots.filter(({ kind }) => kind !== 'cache');
  if (!writable.some(({ folder }) => holds(folder, out) && folder !== out))
    return 'Choose a place in the workspace, or in a folder of the setting espalier.modelFolders.';
  if (exists(out)) return `${basename(out)} is there already; choose another name.`;
  if (!exists(dirname(out))) return `There is no folder ${dirname(out)} to write into.`;
  return null;
}
