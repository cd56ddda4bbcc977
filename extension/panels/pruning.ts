// What the panel of a model writes: asks where to, starts the run, follows it, and finds it again after a reload.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Disposable } from 'vscode';
import type { PruningState } from '../../server/protocol/pages/chooseBlocks';
import type { DropSet, TokenSource } from '../../server/protocol/recipes';
import type { PruneRecipe, RepairOptions } from '../../server/recipes/prune/recipe';
import type { RunSummary } from '../../server/protocol/server';
import { modelName } from '../trees/modelNodes';
import { grown } from './grown';
import { askOut, saveRecipe } from './asking';
import { outPlace } from './outFolder';
import type { PanelHost } from './panelHost';

export interface Pruning extends Disposable {
  /** The newest prune run that was started here; null: none. */
  readonly state: PruningState | null;
  /** null: the person thought better of it. */
  start(drop: DropSet, repair: RepairOptions | null): Promise<{ runId: string } | null>;
  saveRecipe(drop: DropSet, repair: RepairOptions | null): Promise<{ file: string } | null>;
  /** Goes on with the run that the panel showed before a reload. */
  restore(runs: readonly RunSummary[]): void;
}

interface Remembered {
  readonly runId: string;
  readonly out: string;
}

/** `source`: the text that a repair is fitted on. `told` hears every change. */
export function openPruning(
  folder: string,
  source: () => TokenSource,
  told: (state: PruningState) => void,
  { context, connection, library, settings }: PanelHost,
): Pruning {
  const memory = `pruning ${folder}`;
  let state: PruningState | null = null;
  let following: Disposable | null = null;

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
    compute: settings.compute(),
  });

  function follow(run: RunSummary, out: string): void {
    following?.dispose();
    const show = (next: RunSummary) => {
      state = { run: next, out };
      told(state);
    };
    show(run);
    following = connection.follow(run.runId, (events) => {
      show(events.reduce(grown, state!.run));
      if (state!.run.state === 'done') void library.refresh();
    });
  }

  return {
    get state() {
      return state;
    },
    async start(drop, repair) {
      const out = await askOut(`Prune ${modelName(folder)}`, folder, settings, 'pruned');
      if (out === null) return null;
      const runId = randomUUID();
      const run = await connection.request('runs/start', { runId, recipe: recipeOf(drop, repair, out) });
      await context.workspaceState.update(memory, { runId, out } satisfies Remembered);
      follow(run, out);
      return { runId };
    },
    async saveRecipe(drop, repair) {
      const { parent, name } = outPlace(folder, settings.roots(), existsSync);
      const recipe = recipeOf(drop, repair, join(parent, name));
      return saveRecipe(recipe, connection);
    },
    restore(runs) {
      const remembered = context.workspaceState.get<Remembered>(memory);
      const run = runs.find(({ runId }) => runId === remembered?.runId);
      if (remembered && run && !state) follow(run, remembered.out);
    },
    dispose: () => following?.dispose(),
  };
}
