// Which tasks have no data in Hugging Face's cache yet, by the names of the files there.
import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, sep } from 'node:path';
import { defaultRevision } from '../../../server/protocol/repositoryNames';
import { areAllParts, filesOfSplit, splitsOf } from '../../../server/shared/dataSetFiles';
import { cacheFolderOf, hubPlaces } from '../../../server/shared/hubCache';
import { factsNamed } from '../../../server/shared/taskNames';

/** Of names of tasks and groups those whose data are not all in Hugging Face's cache. @param examples those of examples, too */
export function missingInCache(names: readonly string[], examples: boolean): string[] {
  const { hub } = hubPlaces(process.env, homedir());
  const known = new Map<string, string[]>();
  const filesOf = (dataset: string) => {
    if (!known.has(dataset)) known.set(dataset, filesInCache(join(hub, cacheFolderOf('datasets', dataset))));
    return known.get(dataset)!;
  };
  return names.filter((name) =>
    factsNamed(name).some((task) =>
      (examples ? splitsOf(task) : [task.split]).some(
        (split) => !areAllParts(filesOfSplit(task.hub, split, filesOf(task.hub.dataset))),
      ),
    ),
  );
}

/** What a pull has put there, with `/` between names; none where there is nothing. */
function filesInCache(repository: string): string[] {
  try {
    const commit = readFileSync(join(repository, 'refs', defaultRevision), 'utf8').trim();
    const names = readdirSync(join(repository, 'snapshots', commit), { recursive: true, encoding: 'utf8' });
    return names.map((name) => name.split(sep).join('/'));
  } catch {
    return [];
  }
}
