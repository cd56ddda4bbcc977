// Where the documents of a split lie in a data set's repository on the hub, so that what is pulled is what is read later. Pure.
import type { HubCoordinates, Split, TaskFacts } from './tasks';

/**
 * Names of the files of a split, the first that fits something is meant; `*` is any part of a name. They are those of exports to
 * Parquet and of JSON lines; the datasets library also knows a split by its word at the end of a name, as in `piqa_validation.parquet`.
 */
export const namesOfSplit = (split: Split): string[] => [
  `${split}*.parquet`,
  `${split}/*.parquet`,
  `*_${split}.parquet`,
  `*-${split}.parquet`,
  `${split}.jsonl`,
  `${split}-*.jsonl`,
  `${split}.json`,
];

/** Folders of a configuration, or of the only one, in its repository; each ends in `/` or is empty. */
export const foldersOf = ({ config }: HubCoordinates): string[] =>
  config ? [`${config}/`] : ['', 'data/', 'default/'];

/** A place with `*` as an expression for whole paths. */
export const patternOf = (place: string): string =>
  place.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*');

/** The files of a split among the paths of a repository, in order; none where it has none. */
export function filesOfSplit(hub: HubCoordinates, split: Split, paths: readonly string[]): string[] {
  for (const folder of foldersOf(hub))
    for (const name of namesOfSplit(split)) {
      const pattern = new RegExp(`^${patternOf(`${folder}${name}`)}$`);
      const found = paths.filter((path) => pattern.test(path));
      if (found.length > 0) return found.sort();
    }
  return [];
}

/** Of files with names such as `test-00001-of-00003.parquet`: whether all of their number are there. */
export function areAllParts(paths: readonly string[]): boolean {
  const parts = paths.map((path) => /-(\d{5})-of-(\d{5})(?=[-.])/.exec(path));
  const nParts = Number(parts[0]?.[2] ?? paths.length);
  return paths.length > 0 && new Set(parts.map((part, i) => part?.[1] ?? i)).size >= nParts;
}

/** The splits that scoring a task reads: that of its questions, and that of its examples. */
export const splitsOf = ({ split, fewShot }: Pick<TaskFacts, 'split' | 'fewShot'>): Split[] => [
  ...new Set(fewShot.kind === 'none' ? [split] : [split, fewShot.split]),
];
