// A model in numbers, from its headers alone.
import { openCheckpoint } from '../checkpoint/checkpoint';
import type { ModelSummary } from '../protocol/reports';
import { summarize } from '../recipes/modelSummary';

/** Throws UserError for a folder that holds no model which can be computed. */
export async function inspectModel(folder: string): Promise<ModelSummary> {
  const checkpoint = await openCheckpoint(folder);
  try {
    return summarize(checkpoint);
  } finally {
    await checkpoint.close();
  }
}
