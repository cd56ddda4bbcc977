// What the panel of a model writes: asks where to, and starts the run that prunes.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { WritingRun } from '../../../server/protocol/pages/page';
import type { ChosenToPrune } from '../../../server/protocol/pages/chooseBlocks';
import type { ComputeOptions, TokenSource } from '../../../server/protocol/recipes';
import type { PruneRecipe } from '../../../server/recipes/prune/recipe';
import { modelName } from '../../trees/modelNodes';
import { askOutputFolder, saveRecipe } from '../dialogs';
import { defaultOutput } from '../outputFolder';
import type { PanelHost } from '../pages';
import { openWriting, type Writing } from '../writing';

export interface Pruning extends Pick<Writing, 'state' | 'restore' | 'dispose'> {
  /** null: cancelled by the user. */
  prune(chosen: ChosenToPrune): Promise<{ runId: string } | null>;
  saveRecipe(chosen: ChosenToPrune): Promise<{ file: string } | null>;
}

/** `source`: the text that a repair is fitted on, and channels are chosen by; `compute`: how it is computed. */
export function openPruning(
  folder: string,
  { source, compute }: { source(): TokenSource; compute(): ComputeOptions },
  host: PanelHost,
  changed: (state: WritingRun) => void,
): Pruning {
  const { connection, settings } = host;
  const writing = openWriting(`pruning ${folder}`, host, changed);
  const recipeOf = ({ drop, repair, mlpWidth }: ChosenToPrune, out: string): PruneRecipe => ({
    kind: 'prune',
    model: folder,
    rule: { kind: 'chosen', ...drop },
    ...(mlpWidth !== undefined && { mlpWidth }),
    source: repair || mlpWidth !== undefined ? source() : null,
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
    async prune(chosen) {
      const out = await askOutputFolder(`Prune ${modelName(folder)}`, folder, settings, 'pruned');
      return out === null ? null : writing.start(recipeOf(chosen, out));
    },
    saveRecipe(chosen) {
      const { parent, name } = defaultOutput(folder, settings.roots(), existsSync);
      return saveRecipe(recipeOf(chosen, join(parent, name)), connection);
    },
    restore: writing.restore,
    dispose: writing.dispose,
  };
}
