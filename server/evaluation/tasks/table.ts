// Every task and group that there is: the rows of shared/tasks.ts with the forms of their documents. A new task is a row
// there, and its forms in the file here that its kind has.
import { type MmluSubject, mmluGroups, mmluSubjects } from '../../shared/mmlu';
import { singleTaskNames, type TaskFacts, type TaskGroup, type TaskName, tasks as rows } from '../../shared/tasks';
import { completion } from './completion';
import { mmluForms } from './mmlu';
import { questionAnswering } from './questionAnswering';
import type { DocumentForms, Task } from './task';
import { wikitext } from './wikitext';

const documents: Record<TaskName, DocumentForms> = { ...questionAnswering, ...completion, wikitext };

export const tasks: readonly Task[] = [
  ...singleTaskNames.map((name) => taskOf(name, rows[name], documents[name])),
  ...mmluSubjects.map((of: MmluSubject) => taskOf(of.name, of, mmluForms(of))),
];

export const groups: readonly TaskGroup[] = mmluGroups;

function taskOf(name: string, facts: TaskFacts, forms: DocumentForms): Task {
  return { ...facts, name, forms: (split) => forms(split, facts.hub) };
}
