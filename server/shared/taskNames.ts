// The tasks behind names: of a task, of a group, or of what only stands for several. Pure.
import { mmluGroups, mmluSubjects } from './mmlu';
import { rowOf } from './rowOf';
import { singleTaskNames, type TaskFacts, tasks, taskTags } from './tasks';

export interface NamedTask extends TaskFacts {
  readonly name: string;
}

const all: readonly NamedTask[] = [...singleTaskNames.map((name) => ({ ...tasks[name], name })), ...mmluSubjects];

/** The tasks that a name stands for; none for a name that nobody knows. */
export const factsNamed = (name: string): NamedTask[] => {
  const inside = mmluGroups.filter((group) => group.name === name || group.parent === name).map((group) => group.name);
  return all.filter(
    (task) =>
      task.name === name || (task.group && inside.includes(task.group)) || rowOf(taskTags, name)?.includes(task.name),
  );
};
