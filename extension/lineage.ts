// Which models belong together: what was made from what, and what may be compared; pure.
import type { FoundModel } from '../server/protocol/server';

/** From the nearest to the oldest; a circle, which files may claim, ends where it closes. */
export function ancestorsOf(folder: string, models: readonly FoundModel[]): string[] {
  const parents = new Map(models.map(({ summary, parentFolder }) => [summary.folder, parentFolder]));
  const found: string[] = [];
  for (let at = parents.get(folder); at && at !== folder && !found.includes(at); at = parents.get(at)) found.push(at);
  return found;
}

/** The first model of those that this one was made from, as far as they are here; null: none is. */
export const originalOf = (folder: string, models: readonly FoundModel[]): string | null =>
  ancestorsOf(folder, models).at(-1) ?? null;

/** A model with those that it was made from and those made from it in one list: the oldest is the original. */
export function baseFirst(folders: readonly string[], models: readonly FoundModel[]): string[] {
  const distinct = [...new Set(folders)];
  const depth = new Map(distinct.map((folder) => [folder, ancestorsOf(folder, models).length]));
  return distinct.sort((a, b) => depth.get(a)! - depth.get(b)!);
}

/** A variant is evaluated beside the model that it all began with, a model by itself. */
export function evaluatedWith(folder: string, models: readonly FoundModel[]): string[] {
  const original = originalOf(folder, models);
  return original === null ? [folder] : [original, folder];
}

/** What may stand beside the original: first what was made from it, then others that read the same tokens. */
export function candidatesFor(folders: readonly string[], models: readonly FoundModel[]): FoundModel[] {
  const base = models.find(({ summary }) => summary.folder === folders[0]);
  const others = models.filter(({ summary }) => !folders.includes(summary.folder));
  const isOffspring = ({ summary }: FoundModel) => ancestorsOf(summary.folder, models).includes(folders[0] ?? '');
  const alike = ({ summary }: FoundModel) =>
    base === undefined || summary.vocabularySize === base.summary.vocabularySize;
  return [...others.filter(isOffspring), ...others.filter((model) => !isOffspring(model) && alike(model))];
}
