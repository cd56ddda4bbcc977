// The pages of the extension. A page is one row: which commands open it, which panel shows which place, and how a panel is
// filled. The place is what the window remembers of the page, so opening and restoring are the same. A row is defined in the
// panel.ts of the page's folder; the build puts the panel.ts of every folder into the extension, so a new page is its folder.
import type { Disposable, ExtensionContext, LogOutputChannel, Uri, WebviewPanel } from 'vscode';
import type { PageProtocol } from '../../server/protocol/pages/page';
import type { RunSummary } from '../../server/protocol/server';
import type { Connection } from '../connection';
import type { Library } from '../library';
import type { Settings } from '../settings';

export interface PageRow<P extends PageProtocol> {
  /** As in the page's file of protocol/pages/, and in its page.ts of the webview. */
  readonly name: P['name'];
  /** Until the panel gives itself a better one. */
  readonly title: string;
  /** Places with the same key are shown in the same panel. */
  key(place: P['memory']): string;
  /** Commands of package.json that open it for a model, and where; absent: none does. */
  readonly ofModel?: { readonly commands: readonly string[]; place(folder: string, library: Library): P['memory'] };
  /** Where this page shows a run; null: it shows no such runs. */
  placeOfRun?(run: RunSummary): P['memory'] | null;
  /** `becomes`: the panel shows another place from now on. */
  fill(panel: WebviewPanel, place: P['memory'], becomes: (place: P['memory']) => void, host: PanelHost): Disposable;
}

/** What panels work with. */
export interface PanelHost {
  readonly context: ExtensionContext;
  readonly connection: Connection;
  readonly library: Library;
  readonly settings: Settings;
  readonly log: LogOutputChannel;
  readonly dist: Uri;
  readonly panels: Panels;
}

export interface Panels extends Disposable {
  /** Shows the panel of this place, or makes one. */
  open<P extends PageProtocol>(row: PageRow<P>, place: P['memory']): void;
  /** In the page for its kind, or in that of any run. */
  openRun(run: RunSummary): void;
}

/** What the editor calls panels of any page, and what it called them in windows that an earlier version has left. */
export const panelType = 'espalier.page';
export const panelTypes: readonly string[] = [
  panelType,
  ...['espalier.chooseBlocks', 'espalier.try', 'espalier.run', 'espalier.healing', 'espalier.evaluation'],
];

const rows = new Map<string, PageRow<PageProtocol>>();

export function definePage<P extends PageProtocol>(row: PageRow<P>): PageRow<P> {
  rows.set(row.name, row);
  return row;
}

export const definedPages = (): readonly PageRow<PageProtocol>[] => [...rows.values()];
