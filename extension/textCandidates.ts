// Which files of a workspace are texts to measure or train on, the largest first. Pure.
import { basename, dirname } from 'node:path';

export interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** What comes with software and models, and is about them. */
const aboutOthers = /^(licen[cs]e|notice|copying|readme|changelog|contributing|security|authors|third[-_ ]?party)/i;

/** What a healing keeps of itself lies in `run/` of the folder that it writes. */
const folderOf = (path: string): string => {
  const folder = dirname(path);
  return basename(folder) === 'run' ? dirname(folder) : folder;
};

/** Of English text under the tokenizers of today, about. */
const bytesPerToken = 4;

/**
 * Files beside weights belong to the model: vocabularies, cards, what a run wrote.
 * @param weights paths of files of weights
 */
export function textCandidates(files: readonly FoundFile[], weights: readonly string[]): FoundFile[] {
  const models = new Set(weights.map(dirname));
  return files
    .filter(({ path, sizeBytes }) => sizeBytes > 0 && !aboutOthers.test(basename(path)) && !models.has(folderOf(path)))
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.path < b.path ? -1 : 1));
}

/** As far as a size tells; null: what is compressed, or has much beside the text, does not tell. */
export const tokensByTheirSize = ({ path, sizeBytes }: FoundFile): number | null =>
  /\.(txt|text|md|raw)$/i.test(path) ? Number((sizeBytes / bytesPerToken).toPrecision(2)) : null;
