// All panels of the window: one for each model, pair of models and run, brought back after a reload.
import { type Disposable, Uri, ViewColumn, type WebviewPanel, window } from 'vscode';
import type { ChooseBlocksPage } from '../../server/protocol/pages/chooseBlocks';
import type { EvaluatePage } from '../../server/protocol/pages/evaluate';
import type { HealPage } from '../../server/protocol/pages/heal';
import type { MemoryOf } from '../../server/protocol/pages/page';
import type { RunPage } from '../../server/protocol/pages/run';
import type { TryPage } from '../../server/protocol/pages/try';
import { type PageName, panelTypes } from './names';
import { fillChooseBlocks } from './chooseBlocks';
import { type EvaluationPlace, fillEvaluation } from './evaluation';
import { fillHealing } from './healing';
import { fillRun } from './run';
import { isActive } from '../trees/runRows';
import type { PanelHost, Panels } from './panelHost';
import { fillTry } from './try';

type PageMemory =
  | MemoryOf<ChooseBlocksPage>
  | MemoryOf<TryPage>
  | MemoryOf<RunPage>
  | MemoryOf<HealPage>
  | MemoryOf<EvaluatePage>;

export function openPanels(parts: Omit<PanelHost, 'panels' | 'dist'>): Panels {
  const open = new Map<string, WebviewPanel>();
  const media = Uri.joinPath(parts.context.extensionUri, 'media');
  const icon = { light: Uri.joinPath(media, 'panel-light.svg'), dark: Uri.joinPath(media, 'panel-dark.svg') };
  const host = (): PanelHost => ({ ...parts, dist: Uri.joinPath(parts.context.extensionUri, 'dist'), panels });

  /** Fills a panel, new or restored, and forgets it when it is closed. */
  function adopt(panel: WebviewPanel, key: string, fill: () => Disposable): void {
    open.set(key, panel);
    panel.iconPath = icon;
    const filled = fill();
    panel.onDidDispose(() => {
      if (open.get(key) === panel) open.delete(key);
      filled.dispose();
    });
  }
  function reveal(page: PageName, key: string, title: string, fill: (panel: WebviewPanel) => Disposable): void {
    const known = open.get(key);
    if (known) {
      known.reveal();
      return;
    }
    const panel = window.createWebviewPanel(panelTypes[page], title, ViewColumn.Active, { enableScripts: true });
    adopt(panel, key, () => fill(panel));
  }
  const keyOf = {
    chooseBlocks: (folder: string) => `chooseBlocks ${folder}`,
    try: (folders: readonly string[]) => `try ${folders.join('\n')}`,
    run: (runId: string) => `run ${runId}`,
    heal: (folder: string, runId: string | null) => (runId ? `run ${runId}` : `heal ${folder}`),
    evaluate: ({ folders, runId }: EvaluationPlace) => (runId ? `run ${runId}` : `evaluate ${folders.join('\n')}`),
  };
  /** The panel of a form shows its run from then on, and is found as that. */
  function changing(
    panel: WebviewPanel,
    firstKey: string,
    fill: (becomes: (key: string) => void) => Disposable,
  ): Disposable {
    let key = firstKey;
    const filled = fill((next) => {
      if (open.get(key) === panel) open.delete(key);
      key = next;
      open.set(key, panel);
    });
    return {
      dispose() {
        if (open.get(key) === panel) open.delete(key);
        filled.dispose();
      },
    };
  }
  const healing = (panel: WebviewPanel, folder: string, runId: string | null) =>
    changing(panel, keyOf.heal(folder, runId), (becomes) =>
      fillHealing(panel, folder, runId, (next) => becomes(keyOf.heal(folder, next)), host()),
    );
  const evaluation = (panel: WebviewPanel, place: EvaluationPlace) =>
    changing(panel, keyOf.evaluate(place), (becomes) =>
      fillEvaluation(panel, place, (next) => becomes(keyOf.evaluate(next)), host()),
    );
  const panels: Panels = {
    chooseBlocks: (folder) =>
      reveal('chooseBlocks', keyOf.chooseBlocks(folder), 'Choose Blocks', (panel) =>
        fillChooseBlocks(panel, folder, null, host()),
      ),
    try: (folders) => reveal('try', keyOf.try(folders), 'Try', (panel) => fillTry(panel, folders, null, host())),
    heal(folder) {
      const active = parts.library.runs.find((run) => run.kind === 'heal' && run.model === folder && isActive(run));
      const runId = active?.runId ?? null;
      reveal('heal', keyOf.heal(folder, runId), 'Healing', (panel) => healing(panel, folder, runId));
    },
    evaluate(folders) {
      const place: EvaluationPlace = { folders, runId: null, beside: [] };
      reveal('evaluate', keyOf.evaluate(place), 'Evaluation', (panel) => evaluation(panel, place));
    },
    run({ runId, kind, model }) {
      if (kind === 'heal' && model !== undefined)
        reveal('heal', keyOf.run(runId), 'Healing', (panel) => healing(panel, model, runId));
      else if (kind === 'evaluate' && model !== undefined)
        reveal('evaluate', keyOf.run(runId), 'Evaluation', (panel) =>
          evaluation(panel, { folders: [model], runId, beside: [] }),
        );
      else reveal('run', keyOf.run(runId), 'Run', (panel) => fillRun(panel, runId, host()));
    },
    dispose() {
      for (const panel of open.values()) panel.dispose();
    },
  };

  const restore = (panel: WebviewPanel, state: unknown): void => {
    const memory = state as PageMemory | undefined;
    if (memory?.page === 'chooseBlocks') {
      const { folder, choice } = memory;
      adopt(panel, keyOf.chooseBlocks(folder), () => fillChooseBlocks(panel, folder, choice, host()));
    } else if (memory?.page === 'try')
      adopt(panel, keyOf.try(memory.folders), () => fillTry(panel, memory.folders, memory, host()));
    else if (memory?.page === 'run') adopt(panel, keyOf.run(memory.runId), () => fillRun(panel, memory.runId, host()));
    else if (memory?.page === 'heal')
      adopt(panel, keyOf.heal(memory.folder, memory.runId), () => healing(panel, memory.folder, memory.runId));
    else if (memory?.page === 'evaluate') adopt(panel, keyOf.evaluate(memory), () => evaluation(panel, memory));
    else panel.dispose(); // it was closed before it could say what it showed
  };
  for (const type of Object.values(panelTypes))
    parts.context.subscriptions.push(
      window.registerWebviewPanelSerializer(type, {
        deserializeWebviewPanel: async (panel, state) => restore(panel, state),
      }),
    );
  return panels;
}
