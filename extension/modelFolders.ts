// Adds a folder outside of the workspace whose models are listed. It is kept in the user's settings, never in those of a
// workspace, because it widens what the server may read.
import { realpathSync } from 'node:fs';
import { ConfigurationTarget, Uri, window, workspace } from 'vscode';
import type { Settings } from './settings';

export async function addModelFolder(settings: Settings): Promise<void> {
  const beside = workspace.workspaceFolders?.[0]?.uri;
  const picked = await window.showOpenDialog({
    title: 'Folder That Holds Models',
    openLabel: 'Add Folder',
    canSelectFiles: false,
    canSelectFolders: true,
    ...(beside ? { defaultUri: Uri.joinPath(beside, '..') } : {}),
  });
  if (!picked?.[0]) return;
  const folders = [...new Set([...settings.modelFolders(), realpathSync(picked[0].fsPath)])];
  await workspace.getConfiguration('espalier').update('modelFolders', folders, ConfigurationTarget.Global);
}
