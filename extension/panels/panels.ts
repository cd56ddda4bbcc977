// All panels of the window: one for each place that a page shows, brought back after a reload.
import { type Disposable, Uri, ViewColumn, type WebviewPanel, window } from 'vscode';
import type { MemoryOf, PageProtocol } from '../../server/protocol/pages/page';
import { definedPages, type PageRow, type PanelHost, type Panels, panelType, panelTypes } from './pages';
import { runPage } from './run/panel';

export function openPanels(parts: Omit<PanelHost, 'panels' | 'dist'>): Panels {
  const { extensionUri, subscriptions } = parts.context;
  const open = new Map<string, WebviewPanel>();
  const media = Uri.joinPath(extensionUri, 'media');
  const icon = { light: Uri.joinPath(media, 'panel-light.svg'), dark: Uri.joinPath(media, 'panel-dark.svg') };

  /** Fills a panel, new or restored, and forgets it when it is closed. */
  function adopt<P extends PageProtocol>(row: PageRow<P>, panel: WebviewPanel, place: P['memory']): void {
    let key = row.key(place);
    const forget = () => {
      if (open.get(key) === panel) open.delete(key);
    };
    open.set(key, panel);
    panel.iconPath = icon;
    const becomes = (next: P['memory']) => {
      forget();
      key = row.key(next);
      open.set(key, panel);
    };
    const filled: Disposable = row.fill(panel, place, becomes, host);
    panel.onDidDispose(() => {
      forget();
      filled.dispose();
    });
  }

  const panels: Panels = {
    open(row, place) {
      const known = open.get(row.key(place));
      if (known) known.reveal();
      else
        adopt(row, window.createWebviewPanel(panelType, row.title, ViewColumn.Active, { enableScripts: true }), place);
    },
    openRun(run) {
      for (const row of definedPages()) {
        const place = row.placeOfRun?.(run);
        if (place) return panels.open(row, place);
      }
      panels.open(runPage, { runId: run.runId });
    },
    dispose() {
      for (const panel of open.values()) panel.dispose();
    },
  };
  const host: PanelHost = { ...parts, dist: Uri.joinPath(extensionUri, 'dist'), panels };

  for (const type of panelTypes)
    subscriptions.push(
      window.registerWebviewPanelSerializer(type, {
        async deserializeWebviewPanel(panel, state) {
          const memory = state as MemoryOf<PageProtocol> | undefined;
          const row = definedPages().find(({ name }) => name === memory?.page);
          if (memory && row) adopt(row, panel, memory);
          else panel.dispose(); // it was closed before it could say what it showed
        },
      }),
    );
  return panels;
}
