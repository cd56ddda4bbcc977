// What the panel of a model writes: asks where to, and starts the run that prunes.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { WritingRun } from '../../../server/protocol/pages/page';
import type { ComputeOptions, DropSet, TokenSource } from '../../../server/protocol/recipes';
import type { PruneRecipe, RepairOptions } from '../../../server/recipes/prune/recipe';
import { modelName } from '../../trees/modelNodes';
import { askOutputFolder, saveRecipe } from '../dialogs';
import { defaultOutput } from '../outputFolder';
import type { PanelHost } from '../pages';
import { openWriting, type Writing } from '../writing';

export interface Pruning extends Pick<Writing, 'state' | 'restore' | 'dispose'> {
  /** null: cancelled by the user. */
  prune(drop: DropSet, repair: RepairOptions | null): Promise<{ runId: string } | null>;
  saveRecipe(drop: DropSet, repair: RepairOptions | null): Promise<{ file: string } | null>;
}

/** `source`: the text that a repair is fitted on; `compute`: how it is computed. */
export function openPruning(
  folder: string,
  { source, compute }: { source(): TokenSource; compute(): ComputeOptions },
  host: PanelHost,
  changed: (state: WritingRun) => void,
): Pruning {
  const { connection, settings } = host;
  const writing = openWriting(`pruning ${folder}`, host, changed);
  const recipeOf = (drop: DropSet, repair: RepairOptions | null, out: string): PruneRecipe => ({
    kind: 'prune',
    model: folder,
    rule: { kind: 'chosen', ...drop },
    source: repair ? source() : null,
    repair,
    out,
    dtype: null,
    maxShardBytes: null,
    mergekit: null,
    compute: compute(),
  });
  return {
    get state() {
      return writing.state;
    },
    async prune(drop, repair) {
      const out = await askOutputFolder(`Prune ${modelName(folder)}`, folder, settings, 'pruned');
      return out === null ? null : writing.start(recipeOf(drop, repair, out));
    },
    saveRecipe(drop, repair) {
      const { parent, name } = defaultOutput(folder, settings.roots(), existsSync);
      return saveRecipe(recipeOf(drop, repair, join(parent, name)), connection);
    },
    restore: writing.restore,
    dispose: writing.dispose,
  };
}
