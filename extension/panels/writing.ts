// A run that writes a model folder: started from a panel, followed there, and found again after a reload of the window.
import { randomUUID } from 'node:crypto';
import type { Disposable } from 'vscode';
import type { WritingRun } from '../../server/protocol/pages/page';
import type { Recipe } from '../../server/recipes/kinds';
import { type FollowedRun, followRun, type RunReducer } from '../followRun';
import type { PanelHost } from './pages';

export interface Writing extends Disposable {
  /** The newest run that was started here; null: none. */
  readonly state: WritingRun | null;
  start(recipe: Recipe & { out: string }): Promise<{ runId: string }>;
  /** Goes on with the run that the panel showed before a reload, where the server still has it. */
  restore(): Promise<void>;
}

interface Remembered {
  readonly runId: string;
  readonly out: string;
}

/** @param memoryKey under which the window remembers the newest run */
export function openWriting(
  memoryKey: string,
  { context, connection, library }: Pick<PanelHost, 'context' | 'connection' | 'library'>,
  changed: (state: WritingRun) => void,
): Writing {
  let followed: FollowedRun<WritingRun> | null = null;

  function follow(first: WritingRun): void {
    followed?.dispose();
    const reducer: RunReducer<WritingRun> = { fetched: ({ run }) => ({ run, out: first.out }) };
    followed = followRun(first, connection, reducer, {
      changed(now, before) {
        changed(now);
        if (now.run.state === 'done' && before.run.state !== 'done') void library.refresh();
      },
    });
    changed(first);
  }

  return {
    get state() {
      return followed?.state ?? null;
    },
    async start(recipe) {
      const runId = randomUUID();
      const run = await connection.request('runs/start', { runId, recipe });
      const { out } = recipe;
      await context.workspaceState.update(memoryKey, { runId, out } satisfies Remembered);
      follow({ run, out });
      return { runId };
    },
    async restore() {
      const remembered = context.workspaceState.get<Remembered>(memoryKey);
      if (followed || !remembered) return;
      const details = await connection.request('runs/get', { runId: remembered.runId }).catch(() => null);
      if (details && !followed) follow({ run: details.run, out: remembered.out });
    },
    dispose: () => followed?.dispose(),
  };
}
