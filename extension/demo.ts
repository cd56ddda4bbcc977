// The tiny model that comes with the extension. It is copied into the user's folder, and the panel to prune it opens.
import { existsSync, realpathSync } from 'node:fs';
import { commands, type ExtensionContext, Uri, window, workspace } from 'vscode';
import type { Library } from './library';
import { chooseBlocksPage, placeToChoose } from './panels/choose/panel';
import type { Panels } from './panels/pages';
import { holds } from './trees/labels';

export interface DemoHost {
  readonly context: ExtensionContext;
  readonly library: Library;
  readonly panels: Panels;
}

const modelName = 'stories260k';
const textName = 'tinystories.txt';
const openNext = 'demo to open next';

/** Without a workspace a folder is asked for and opened; the panel opens once the window has been reloaded for it. */
export async function openDemo({ context, library, panels }: DemoHost): Promise<void> {
  const opened = workspace.workspaceFolders?.find(({ uri }) => uri.scheme === 'file')?.uri;
  const place = opened ?? (await askFolder());
  if (!place) return;
  const model = Uri.joinPath(place, modelName);
  await copyMissing(Uri.joinPath(context.extensionUri, 'dist/demo'), place);
  if (opened) {
    await library.refresh();
    panels.open(chooseBlocksPage, placeToChoose(realpathSync(model.fsPath)));
    return;
  }
  await context.globalState.update(openNext, model.fsPath);
  await commands.executeCommand('vscode.openFolder', place);
}

/** Opens the panel after the window was reloaded for the demo's folder. */
export async function goOnWithDemo({ context, panels }: DemoHost): Promise<void> {
  const model = context.globalState.get<string>(openNext);
  const here = workspace.workspaceFolders?.some(({ uri }) => model && holds(uri.fsPath, model));
  if (!model || !here) return;
  await context.globalState.update(openNext, undefined);
  if (existsSync(model)) panels.open(chooseBlocksPage, placeToChoose(realpathSync(model)));
}

async function askFolder(): Promise<Uri | undefined> {
  const options = { canSelectFolders: true, canSelectFiles: false, openLabel: 'Put It Here' };
  const picked = await window.showOpenDialog({ ...options, title: 'Folder for the Tiny Model' });
  return picked?.[0];
}

/** Files that exist already stay as they are. */
async function copyMissing(demo: Uri, place: Uri): Promise<void> {
  for (const name of [modelName, textName]) {
    const target = Uri.joinPath(place, name);
    if (!existsSync(target.fsPath)) await workspace.fs.copy(Uri.joinPath(demo, name), target);
  }
}
