// The models below some folders, from headers alone: plain folders two or three levels deep, and Hugging Face's cache.
// Folders that only look like models, or that somebody is writing or has damaged, are passed over.
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { withCheckpoint } from '../checkpoint/checkpoint';
import { findCheckpointFolder } from '../checkpoint/folder';
import type { Provenance } from '../checkpoint/provenance';
import { isUserError } from '../errors';
import type { ModelSummary } from '../protocol/reports';
import type { FoundModel } from '../protocol/server';
import { summarize } from '../recipes/modelSummary';

/** The part of a connection's roots that is needed here. */
export interface SearchRoots {
  readonly folders: readonly string[];
  /** These throw for what leads outside. */
  resolve(folder: string): string;
  resolveModel(folder: string): string;
}

const mostLevels = 3;
/** Whoever opens a whole disk as a workspace shall get an answer, too. */
const mostFolders = 5000;
const mostModels = 500;

interface Found {
  readonly summary: ModelSummary;
  readonly provenance: Provenance | null;
}

export async function findModels(
  given: readonly string[],
  roots: SearchRoots,
  newestAnalysisOf: (folder: string) => string | null,
): Promise<FoundModel[]> {
  const candidates = await candidateFolders([...roots.folders, ...given], roots);
  const found: Found[] = [];
  for (const folder of candidates.slice(0, mostModels)) {
    const model = await open(folder, roots);
    if (model && !found.some(({ summary }) => summary.folder === model.summary.folder)) found.push(model);
  }
  return found.map(({ summary, provenance }) => ({
    summary,
    parentFolder: parentOf(summary, provenance, found),
    analysisRunId: newestAnalysisOf(summary.folder),
  }));
}

/** Breadth first, so that what lies near is found even where there is too much. */
async function candidateFolders(starts: readonly string[], roots: SearchRoots): Promise<string[]> {
  const candidates: string[] = [];
  const seen = new Set<string>();
  let level = [...starts];
  for (let depth = 0; depth <= mostLevels && level.length > 0; depth++) {
    const below: string[] = [];
    for (const folder of level) {
      if (seen.size >= mostFolders) return candidates;
      const real = resolved(folder, roots);
      if (real === null || seen.has(real)) continue;
      seen.add(real);
      if (basename(real).startsWith('models--')) {
        candidates.push(real);
        continue;
      }
      const entries = await readdir(real, { withFileTypes: true }).catch((): Dirent[] => []);
      if (
        entries.some(({ name }) => name === 'config.json') &&
        entries.some(({ name }) => name.endsWith('.safetensors'))
      )
        candidates.push(real);
      for (const entry of entries)
        if ((entry.isDirectory() || entry.isSymbolicLink()) && isWorthwhile(entry.name))
          below.push(join(real, entry.name));
    }
    level = below;
  }
  return candidates;
}

const isWorthwhile = (name: string) => !name.startsWith('.') && name !== 'node_modules';

function resolved(folder: string, roots: SearchRoots): string | null {
  try {
    return roots.resolve(folder);
  } catch {
    return null;
  }
}

async function open(candidate: string, roots: SearchRoots): Promise<Found | null> {
  try {
    const folder = roots.resolveModel(await findCheckpointFolder(candidate));
    return await withCheckpoint(folder, async (checkpoint) => ({
      summary: summarize(checkpoint),
      provenance: checkpoint.provenance,
    }));
  } catch (error) {
    // Files may vanish while they are read; only a defect of ours is worth more than passing over.
    if (isUserError(error) || (error as NodeJS.ErrnoException).code !== undefined) return null;
    throw error;
  }
}

/** What it was made from, else the first model of all; of several with that name the one that lies nearest. */
function parentOf(summary: ModelSummary, provenance: Provenance | null, found: readonly Found[]): string | null {
  if (!provenance) return null;
  for (const wanted of [provenance.sourceModel, provenance.baseModel]) {
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
