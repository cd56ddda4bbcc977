// Where the tasks' data are: in Hugging Face's cache, or in a folder that is kept in the user's settings, never in those of a
// workspace, because it widens what the server may read.
import { realpathSync } from 'node:fs';
import { ConfigurationTarget, Uri, window, workspace } from 'vscode';
import type { Settings } from '../../settings';

/** null: cancelled by the user. */
export async function chooseBenchmarkData(settings: Settings): Promise<string | null> {
  const known = settings.benchmarkData();
  const beside = known === null ? workspace.workspaceFolders?.[0]?.uri : Uri.file(known);
  const picked = await window.showOpenDialog({
    title: "Folder with the Tasks' Data",
    openLabel: 'Take Data from Here',
    canSelectFiles: false,
    canSelectFolders: true,
    ...(beside ? { defaultUri: beside } : {}),
  });
  if (!picked?.[0]) return null;
  const folder = realpathSync(picked[0].fsPath);
  await keep(folder);
  return folder;
}

/** Data come from the cache again. */
export const forgetBenchmarkData = (): Promise<void> => keep(undefined);

const keep = async (folder: string | undefined): Promise<void> =>
  workspace.getConfiguration('espalier').update('benchmarkData', folder, ConfigurationTarget.Global);
