// The dialogs that ask where a new folder or a file is written.
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Uri, window, workspace } from 'vscode';
import type { Recipe } from '../../server/recipes/kinds';
import { visibleLine } from '../../server/shared/visible';
import type { Connection } from '../connection';
import type { Settings } from '../settings';
import { outputPath, defaultOutput, outputProblem } from './outputFolder';

/** Asks for a new folder. Offered is one beside the model with its name and `what`; null: cancelled by the user. */
export async function askOutputFolder(
  title: string,
  model: string,
  settings: Settings,
  what: string,
): Promise<string | null> {
  const roots = settings.roots();
  const { parent, name } = defaultOutput(model, roots, existsSync, what);
  const text = await window.showInputBox({
    title,
    prompt: visibleLine(`Name of the new folder in ${parent}`),
    value: name,
    ignoreFocusOut: true,
    validateInput: (typed) => outputProblem(parent, typed, roots, existsSync),
  });
  return text === undefined ? null : outputPath(parent, text);
}

/** Asks for a file in the workspace and writes it; null as above. */
async function askAndWrite(
  title: string,
  name: string,
  filters: Record<string, string[]>,
  content: Uint8Array,
  beside: string,
): Promise<Uri | null> {
  const folder = workspace.workspaceFolders?.[0]?.uri ?? Uri.file(dirname(beside));
  const target = await window.showSaveDialog({ title, defaultUri: Uri.joinPath(folder, name), filters });
  if (!target) return null;
  await workspace.fs.writeFile(target, content);
  return target;
}

/** Asks where to write what a page has made, and writes it. `png` comes as base64, the others as text. */
export async function exportFile(
  name: string,
  kind: 'csv' | 'json' | 'png' | 'svg',
  content: string,
  beside: string,
): Promise<{ file: string } | null> {
  const bytes = kind === 'png' ? Buffer.from(content, 'base64') : new TextEncoder().encode(content);
  const format = kind.toUpperCase();
  const target = await askAndWrite(`Save as ${format}`, `${name}.${kind}`, { [format]: [kind] }, bytes, beside);
  return target && { file: target.fsPath };
}

/** Asks where to write a recipe, writes it and opens it; null: cancelled by the user. */
export const saveRecipe = (recipe: Recipe & { out: string }, connection: Connection) =>
  saveRecipeAs(basename(recipe.out), recipe.out, recipe, connection);

/** `beside`: without a workspace, the folder of this path is offered. */
export async function saveRecipeAs(
  name: string,
  beside: string,
  recipe: Recipe,
  connection: Connection,
): Promise<{ file: string } | null> {
  const { yaml } = await connection.request('recipes/format', { recipe });
  const filters = { 'Espalier recipe': ['espalier.yaml'] };
  const content = new TextEncoder().encode(yaml);
  const target = await askAndWrite('Save as Recipe', `${name}.espalier.yaml`, filters, content, beside);
  if (!target) return null;
  await window.showTextDocument(target, { preview: false });
  return { file: target.fsPath };
}
