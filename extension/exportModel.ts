// Exporting a model from the editor: a person says how many bits and where, and a run writes the GGUF file.
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { Uri, window, workspace } from 'vscode';
import type { ExportFileType } from '../server/recipes/export/recipe';
import type { Connection } from './connection';
import { pick } from './editorText';
import type { Panels } from './panels/pages';
import { modelName } from './trees/modelNodes';

export interface ExportHost {
  readonly connection: Connection;
  readonly panels: Panels;
}

const fileTypes: readonly { label: ExportFileType; description: string }[] = [
  { label: 'f16', description: 'halves, 16 bits per weight' },
  { label: 'q8_0', description: '8.5 bits per weight' },
  { label: 'q4_0', description: '4.5 bits per weight' },
];

/** @param folder of the model; the file is offered beside it, or in the workspace where the model lies elsewhere */
export async function exportModel({ connection, panels }: ExportHost, folder: string): Promise<void> {
  const name = modelName(folder);
  const type = await pick(fileTypes, { title: `Export ${name} to GGUF`, placeHolder: 'What matrices are stored as' });
  if (!type) return;
  const place = await window.showSaveDialog({
    title: `Export ${name} to GGUF`,
    saveLabel: 'Export',
    defaultUri: Uri.file(join(placeFor(folder), `${name.replaceAll('/', '-')}-${type.label}.gguf`)),
    filters: { GGUF: ['gguf'] },
  });
  if (!place) return;
  await connection.ready();
  const recipe = { kind: 'export' as const, model: folder, gguf: type.label, out: place.fsPath };
  panels.openRun(await connection.request('runs/start', { runId: randomUUID(), recipe }));
}

function placeFor(folder: string): string {
  const elsewhere = workspace.getWorkspaceFolder(Uri.file(folder)) ? undefined : workspace.workspaceFolders?.[0];
  return elsewhere?.uri.fsPath ?? dirname(folder);
}
