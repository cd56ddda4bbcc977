// A model in numbers, from its headers alone.
import { withCheckpoint } from '../checkpoint/checkpoint';
import type { ModelSummary } from '../protocol/reports';
import { summarize } from '../recipes/modelSummary';

/** Throws UserError for a folder that holds no model which can be computed. */
export const inspectModel = (folder: string): Promise<ModelSummary> =>
  withCheckpoint(folder, async (checkpoint) => summarize(checkpoint));
