// pull: a model, or the data sets of tasks, from the hub into Hugging Face's cache, as the environment says where both are.
import { resolveTasks } from '../../evaluation/tasks';
import { type HubSettings, inWords, readHubSettings } from '../../hub/hubSettings';
import { pullDataSets } from '../../hub/pullDataSets';
import type { PullOptions } from '../../hub/pullFiles';
import { pullModel } from '../../hub/pullModel';
import { progress, type Run, versions } from '../recipeContext';
import type { FileOfPull, PulledDataReport, PulledModelReport, PullRecipe, PullReport } from './recipe';

export async function runPull({ repository, revision, tasks = [] }: PullRecipe, run: Run): Promise<PullReport> {
  const settings = await readHubSettings(process.env, undefined, run.hubToken ?? null);
  return repository === undefined
    ? pullTasks(settings, tasks, run)
    : pullOneModel(settings, { repository, revision }, run);
}

async function pullOneModel(
  settings: HubSettings,
  named: { repository: string; revision: string },
  run: Run,
): Promise<PulledModelReport> {
  const began = performance.now();
  const { commit, folder, files, fetchedBytes } = await pullModel(settings, named, optionsOf(run));
  return { ...factsOf(settings, files, fetchedBytes, began), ...named, commit, out: folder, files: listOf(files) };
}

async function pullTasks(settings: HubSettings, tasks: string[], run: Run): Promise<PulledDataReport> {
  const began = performance.now();
  const { sets, fetchedBytes } = await pullDataSets(settings, resolveTasks(tasks).tasks, optionsOf(run));
  return {
    ...factsOf(
      settings,
      sets.flatMap(({ files }) => files),
      fetchedBytes,
      began,
    ),
    tasks,
    dataSets: sets.map(({ dataset, commit, folder, files }) => ({ dataset, commit, folder, files: listOf(files) })),
  };
}

function optionsOf(run: Run): PullOptions {
  const fetching = progress(run, 'download');
  let shown = -1;
  return {
    signal: run.signal,
    onPlan: (download) => run.emit({ kind: 'download', download }),
    onProgress(fraction) {
      // Bytes come in thousands of pieces a second.
      const step = Math.floor(1000 * fraction);
      if (step !== shown) fetching(fraction);
      shown = step;
    },
    onWarning: (text) => run.emit({ kind: 'warning', text }),
  };
}

type Files = readonly { readonly path: string; readonly sizeBytes: number }[];

const listOf = (files: Files): FileOfPull[] => files.map(({ path, sizeBytes }) => ({ name: path, sizeBytes }));

function factsOf({ endpoint }: HubSettings, files: Files, fetchedBytes: number, began: number) {
  const { espalier, node } = versions();
  return {
    kind: 'pull' as const,
    endpoint: inWords(endpoint),
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    fetchedBytes,
    elapsedMs: performance.now() - began,
    versions: { espalier, node },
  };
}
