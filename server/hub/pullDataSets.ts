// The data sets of tasks from the hub into Hugging Face's cache: of each repository the splits that scoring reads, and those alone.
import { UserError } from '../errors';
import { defaultRevision } from '../protocol/repositoryNames';
import { cachedRepository, snapshotFolder } from './cacheFolder';
import type { HubSettings } from './hubSettings';
import { neededOfTasks, type TaskOnHub } from './neededFiles';
import { cachedDataSet, type PulledFiles } from './offline';
import { type Part, patienceOf, type PullOptions, pullParts } from './pullFiles';
import type { Subject } from './refusalRow';
import { readRepository } from './repository';

export interface PulledDataSet extends Omit<PulledFiles, 'fetchedBytes'> {
  readonly dataset: string;
}

export interface PulledDataSets {
  readonly sets: readonly PulledDataSet[];
  readonly fetchedBytes: number;
}

/** @throws UserError `notFound`, `noAccess`, `network`, `badData`, `cannotFit`, `cannotWrite`, `cancelled` */
export async function pullDataSets(
  settings: HubSettings,
  tasks: readonly TaskOnHub[],
  options: PullOptions,
): Promise<PulledDataSets> {
  const wanted = [...new Set(tasks.map(({ hub }) => hub.dataset))].map((dataset) => ({
    dataset,
    place: cachedRepository(settings.cache, 'datasets', dataset),
    tasks: tasks.filter(({ hub }) => hub.dataset === dataset),
  }));
  if (settings.isOffline) {
    const sets: PulledDataSet[] = [];
    for (const { dataset, place, tasks } of wanted)
      sets.push({ dataset, ...(await cachedDataSet(place, dataset, tasks)) });
    return { sets, fetchedBytes: 0 };
  }
  const parts: Part[] = [];
  for (const { dataset, place, tasks } of wanted) {
    const subject: Subject = { kind: 'datasets', repository: dataset, revision: defaultRevision };
    const { commit, files } = await readRepository(settings, subject, patienceOf(options, false));
    const needed = neededPaths(
      dataset,
      tasks,
      files.map(({ path }) => path),
    );
    parts.push({ subject, place, commit, files: files.filter(({ path }) => needed.includes(path)) });
  }
  const fetchedBytes = await pullParts(settings, parts, options);
  const sets = parts.map(({ subject, place, commit, files }) => ({
    dataset: subject.repository,
    commit,
    folder: snapshotFolder(place, commit),
    files,
  }));
  return { sets, fetchedBytes };
}

function neededPaths(dataset: string, tasks: readonly TaskOnHub[], paths: readonly string[]): readonly string[] {
  const needed = neededOfTasks(tasks, paths);
  if ('files' in needed) return needed.files;
  const { name, split } = needed.lacks;
  throw new UserError(
    'notFound',
    `${dataset} has no split ${split} of ${name} as Parquet or JSON lines; give a folder of your own by --data.`,
  );
}
