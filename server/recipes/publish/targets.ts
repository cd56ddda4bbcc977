// Which folders a recipe publishes, and as which repositories: the folder itself, or the models and adapters that a study has left.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { adapterWeightsFile } from '../../checkpoint/adapter';
import { isFile, isFolder } from '../../checkpoint/folder';
import { UserError } from '../../errors';
import { isRepository } from '../../protocol/repositoryNames';
import { nullIfMissing } from '../../shared/systemErrors';

export interface PublishTarget {
  readonly folder: string;
  readonly repository: string;
  /** Reports that say something of it: the study that it is of. */
  readonly reports: readonly string[];
}

export interface PublishTargets {
  readonly targets: readonly PublishTarget[];
  /** The collection that variants of a study come into, where none is asked for; null: it is no study. */
  readonly together: string | null;
}

/** Folders of a study, and what the names of their variants end in. */
const variantFolders = [
  { folder: 'models', has: 'config.json', ending: '' },
  { folder: 'adapters', has: adapterWeightsFile, ending: '-adapter' },
] as const;

/** @throws UserError `notFound` for a study without models and adapters, `usage` for one whose names the hub does not take */
export async function targetsIn(folder: string, repository: string): Promise<PublishTargets> {
  if (!(await isFolder(folder)))
    throw new UserError('notFound', `There is no folder ${folder}; give the folder of a model, an adapter or a study.`);
  if (!(await isFile(join(folder, 'study.json'))))
    return { targets: [{ folder, repository, reports: [] }], together: null };
  const reports = (await isFile(join(folder, 'report.json'))) ? [folder] : [];
  const targets: PublishTarget[] = [];
  for (const { folder: part, has, ending } of variantFolders)
    for (const id of ((await readdir(join(folder, part)).catch(nullIfMissing)) ?? []).sort())
      if (await isFile(join(folder, part, id, has)))
        targets.push({ folder: join(folder, part, id), repository: `${repository}-${id}${ending}`, reports });
  const wrong = targets.find((target) => !isRepository(target.repository));
  if (wrong)
    throw new UserError('usage', `The hub takes no repository ${wrong.repository}; give a shorter or plainer --repo.`);
  if (targets.length > 0) return { targets, together: repository.split('/')[1]! };
  throw new UserError(
    'notFound',
    `The study in ${folder} keeps no models and no adapters; run it again with keepModels: all, or publish the folder of a model.`,
  );
}
