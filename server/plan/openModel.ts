// One of the folders that look like models, opened for the list of models.
import { withCheckpoint } from '../checkpoint/checkpoint';
import { findCheckpointFolder } from '../checkpoint/folder';
import { UserError } from '../errors';
import type { OpenedModel } from '../protocol/reader';
import { summarize } from '../recipes/modelSummary';
import type { SearchRoots } from './candidateFolders';

/** Throws UserError with what is wrong with it. */
export async function openModel(candidate: string, roots: SearchRoots): Promise<OpenedModel> {
  try {
    const folder = roots.resolveModel(await findCheckpointFolder(candidate));
    return await withCheckpoint(folder, async (checkpoint) => {
      const { provenance } = checkpoint;
      const named = provenance ? [provenance.sourceModel, provenance.baseModel] : [];
      return { summary: summarize(checkpoint), madeFrom: named.map(({ name, nBlocks }) => ({ name, nBlocks })) };
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || error instanceof UserError) throw error;
    throw new UserError('notFound', `${candidate} cannot be read (${code}); check its permissions.`);
  }
}
