// The models below some folders, read one by one: one that cannot be read is in the list with the reason, and takes no other
// one along.
import { dirname } from 'node:path';
import { isUserError } from '../errors';
import type { CandidateFolders, OpenedModel } from '../protocol/reader';
import type { BrokenModel, FoundModel, FoundModels } from '../protocol/server';

export interface ModelReader {
  candidateFolders(): Promise<CandidateFolders>;
  /** Throws UserError with what is wrong with it. */
  openModel(folder: string): Promise<OpenedModel>;
  /** null: none. */
  newestAnalysisOf(folder: string): string | null;
  /** For defects. */
  log(text: string): void;
}

/** Each may take as long as it takes to end it. */
const mostSeconds = 120;

export async function findModels({
  candidateFolders,
  openModel,
  newestAnalysisOf,
  log,
}: ModelReader): Promise<FoundModels> {
  const candidates = await candidateFolders();
  const opened = new Map<string, OpenedModel>();
  const broken: BrokenModel[] = [...candidates.unreadable];
  const began = performance.now();
  for (const folder of candidates.folders) {
    if (performance.now() - began > mostSeconds * 1000) {
      broken.push({ folder, message: `It was not read, since the models before it took ${mostSeconds} s.` });
      continue;
    }
    try {
      const model = await openModel(folder);
      if (!opened.has(model.summary.folder)) opened.set(model.summary.folder, model);
    } catch (error) {
      if (isUserError(error) && error.code === 'cancelled') throw error;
      if (!isUserError(error)) log(`${JSON.stringify(folder)}: ${(error as Error).stack}`);
      broken.push({
        folder,
        message: isUserError(error) ? error.message : 'It cannot be read by a defect; see the log.',
      });
    }
  }
  const all = [...opened.values()];
  const models = all.map(
    (model): FoundModel => ({
      summary: model.summary,
      parentFolder: parentOf(model, all),
      analysisRunId: newestAnalysisOf(model.summary.folder),
    }),
  );
  return { models, broken, cut: candidates.cut };
}

/** What it was made from, else the first model of all; of several with that name the one that lies nearest. */
function parentOf({ summary, madeFrom }: OpenedModel, found: readonly OpenedModel[]): string | null {
  for (const wanted of madeFrom) {
    const same = found
      .map((other) => other.summary)
      .filter(
        ({ name, nBlocks, folder }) => name === wanted.name && nBlocks === wanted.nBlocks && folder !== summary.folder,
      );
    const nearest = same.sort((a, b) => distance(a.folder, summary.folder) - distance(b.folder, summary.folder))[0];
    if (nearest) return nearest.folder;
  }
  return null;
}

/** Steps up from `to` until a folder is reached that holds `from`. */
function distance(from: string, to: string): number {
  let steps = 0;
  for (let folder = to; dirname(folder) !== folder && !from.startsWith(`${folder}/`); folder = dirname(folder)) steps++;
  return steps;
}
