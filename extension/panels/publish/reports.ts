// The reports that a folder's card is made of: those of the editor's own runs that made it or measured it, as files in a folder that
// the server may read.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExtensionContext } from 'vscode';
import type { Recipe } from '../../../server/recipes/kinds';
import { modelsOf } from '../../../server/recipes/kinds';
import type { RunDetails } from '../../followRun';
import type { PanelHost } from '../pages';

/** It has to be there before a connection is made, whose folders are known once and for all. */
export function reportsFolder({ globalStorageUri }: Pick<ExtensionContext, 'globalStorageUri'>): string {
  const folder = join(globalStorageUri.fsPath, 'reportsOfCards');
  mkdirSync(folder, { recursive: true });
  return folder;
}

const kindsOfReports: readonly string[] = ['prune', 'heal', 'merge', 'sparsify', 'evaluate', 'perplexity'];
/** So many runs are looked at. */
const mostRuns = 100;

/** The newest of each kind that says something of the folder, or of what it was made of after the original. */
export async function reportsOf(
  folder: string,
  { connection, library, context }: Pick<PanelHost, 'connection' | 'library' | 'context'>,
): Promise<string[]> {
  const done = library.runs.filter(({ kind, state }) => state === 'done' && kindsOfReports.includes(kind));
  const details: RunDetails[] = [];
  for (const { runId } of done.slice(0, mostRuns)) {
    const found = await connection.request('runs/get', { runId }).catch(() => null);
    if (found?.report) details.push(found);
  }
  const place = reportsFolder(context);
  return aboutFolder(folder, details).map(({ run, report }) => {
    const file = join(place, `${run.runId}.json`);
    writeFileSync(file, JSON.stringify(report));
    return file;
  });
}

/** Runs that measured the folder, and those that it came from, step by step. Pure. */
export function aboutFolder(folder: string, details: readonly RunDetails[]): RunDetails[] {
  const made = new Set([folder]);
  for (const path of made)
    for (const { recipe } of details) if (outOf(recipe) === path) for (const input of inputsOf(recipe)) made.add(input);
  return details.filter(({ recipe }) => {
    const out = outOf(recipe);
    return out === null ? modelsOf(recipe).includes(folder) : made.has(out);
  });
}

const outOf = (recipe: Recipe): string | null => ('out' in recipe ? recipe.out : null);

const inputsOf = (recipe: Recipe): string[] =>
  recipe.kind === 'merge' ? [recipe.model, recipe.adapter] : recipe.kind === 'heal' ? [recipe.model] : [];
