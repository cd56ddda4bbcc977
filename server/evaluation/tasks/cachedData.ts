// A task's documents in Hugging Face's cache, where `espalier pull --task` puts them and Python's tools do, too.
import { join } from 'node:path';
import { isUserError, UserError } from '../../errors';
import { homeFolder } from '../../files/homeFolder';
import { cacheFolderOf, hubPlaces } from '../../shared/hubCache';
import type { Split } from '../../shared/tasks';
import { type Documents, readQuestions } from './dataFolder';
import type { Task } from './task';

/**
 * All questions of a split, in their order.
 * @param asked all that are to be scored
 * @throws UserError notFound with how they get there; what readQuestions throws
 */
export async function readCachedQuestions(task: Task, split: Split, asked: readonly string[]): Promise<Documents> {
  const { hub } = hubPlaces(process.env, homeFolder());
  const { dataset } = task.hub;
  try {
    return await readQuestions(join(hub, cacheFolderOf('datasets', dataset)), task, split);
  } catch (error) {
    if (!isUserError(error) || error.code !== 'notFound') throw error;
    throw new UserError(
      'notFound',
      `The data of ${task.name} (${dataset}, split ${split}) are not in ${hub}; fetch them by \`espalier pull --task ${asked.join(',')}\`, or name a folder that has them by --data.`,
    );
  }
}
