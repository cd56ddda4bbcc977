// Where a pruned or healed model, or an adapter, goes: by default beside the model, under the first name that is free. Pure; who asks looks at the disk.
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { freeName, holds } from '../trees/labels';
import { modelName, type ModelRoot } from '../trees/modelNodes';

export interface OutPlace {
  /** The folder that the new one is made in. */
  readonly parent: string;
  readonly name: string;
}

/** Beside the model, where we may write there: the cache of the Hub has a form of its own, and belongs to other tools. */
export function outPlace(
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

/** A name means one beside the others, a path itself. */
export const outFolder = (parent: string, text: string): string => resolve(parent, text.trim());

/** What is wrong with what was typed; null: nothing. */
export function refuseOut(
  parent: string,
  text: string,
  roots: readonly ModelRoot[],
  exists: (path: string) => boolean,
): string | null {
  const typed = text.trim();
  if (typed === '' || (!isAbsolute(typed) && /[:*?"<>|]/.test(typed))) return 'Give a name for a folder.';
  const out = outFolder(parent, typed);
  const writable = roots.filter(({ kind }) => kind !== 'cache');
  if (!writable.some(({ folder }) => holds(folder, out) && folder !== out))
    return 'Choose a place in the workspace, or in a folder of the setting espalier.modelFolders.';
  if (exists(out)) return `${basename(out)} is there already; choose another name.`;
  if (!exists(dirname(out))) return `There is no folder ${dirname(out)} to write into.`;
  return null;
}
