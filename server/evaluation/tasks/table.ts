// Every task and group that there is. A new task is a file beside this one and a row here.
import { arcChallenge, arcEasy } from './arc';
import { boolq } from './boolq';
import { hellaswag } from './hellaswag';
import { lambadaOpenai } from './lambada';
import { mmluGroups, mmluTasks, type TaskGroup } from './mmlu';
import { openbookqa } from './openbookqa';
import { piqa } from './piqa';
import type { Task } from './task';
import { wikitext } from './wikitext';
import { winogrande } from './winogrande';

export const tasks: readonly Task[] = [
  hellaswag,
  arcEasy,
  arcChallenge,
  boolq,
  piqa,
  winogrande,
  openbookqa,
  lambadaOpenai,
  wikitext,
  ...mmluTasks,
];

/** Their scores are means of their tasks' scores, weighted by the number of items. */
export const groups: readonly TaskGroup[] = mmluGroups;

/** Names for several tasks that have no score together. */
export const tags: Readonly<Record<string, readonly string[]>> = { ai2_arc: ['arc_easy', 'arc_challenge'] };
