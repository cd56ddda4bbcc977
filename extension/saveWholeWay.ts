// "Save the Whole Way as a Recipe": the runs of this workspace that made a model and measured it, as one pipeline in a file.
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import type { RunSummary } from '../server/protocol/server';
import type { Connection } from './connection';
import { saveRecipeAs } from './panels/dialogs';
import { defaultOutput } from './panels/outputFolder';
import type { Settings } from './settings';
import { modelName } from './trees/modelNodes';
import { type DoneRun, wholeWay } from './wholeWay';

export interface WholeWayHost {
  readonly connection: Connection;
  readonly settings: Settings;
}

/** null: cancelled by the user. */
export async function saveWholeWay(
  { connection, settings }: WholeWayHost,
  folder: string,
): Promise<{ file: string } | null> {
  await connection.ready();
  const runs = await connection.request('runs/list', {});
  const { parent, name } = defaultOutput(folder, settings.roots(), existsSync, 'whole-way');
  const pipeline = wholeWay(await doneRuns(connection, runs), folder, join(parent, name));
  return saveRecipeAs(`${modelName(folder)}-whole-way`.replace(/[^\w.-]+/g, '-'), pipeline.out, pipeline, connection);
}

/** Older ones hardly lead to a model of now, and each takes a request. */
const mostRuns = 300;

async function doneRuns(connection: Connection, runs: readonly RunSummary[]): Promise<DoneRun[]> {
  const newest = runs
    .filter(({ state, kind }) => state === 'done' && kind !== 'unknown')
    .sort((a, b) => b.createdAtEpochMs - a.createdAtEpochMs)
    .slice(0, mostRuns);
  const found: DoneRun[] = [];
  for (const { runId, endedAtEpochMs } of newest) {
    const { recipe, report } = await connection.request('runs/get', { runId });
    if (report) found.push({ recipe, report, endedAtEpochMs: endedAtEpochMs ?? 0 });
  }
  return found;
}
