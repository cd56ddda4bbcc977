// Names of methods and tasks in a recipe: which of them are none, and what may have been meant.
import { importanceMethodNames } from '../analysis/importance';
import { nearestName } from '../evaluation/nearestName';
import { taskNames } from '../evaluation/tasks';
import type { Recipe } from '../protocol/recipes';
import { measuredMethods } from '../pruning/choose';

export interface UnknownName {
  /** Where in the recipe it stands. */
  readonly path: readonly (string | number)[];
  readonly sentence: string;
}

/** The first name that is none; null where all are known. */
export function unknownName(recipe: Recipe): UnknownName | null {
  const place = placesOf(recipe).find(({ name, kind }) => !kinds[kind].isKnown(name));
  if (!place) return null;
  const { path, name, kind } = place;
  return {
    path,
    sentence: `There is no ${kinds[kind].word} ${name}; the nearest is ${nearestName(name, kinds[kind].names)}.`,
  };
}

const scoring = ['all', 'none', ...importanceMethodNames];
const choosing = [...importanceMethodNames, ...measuredMethods, 'deepest'];
const tasks = taskNames();

const kinds = {
  /** What an analysis can be asked for. */
  scoring: { word: 'method', names: scoring, isKnown: (name: string) => scoring.includes(name) },
  /** Whatever can choose blocks. */
  choosing: { word: 'method', names: choosing, isKnown: (name: string) => choosing.includes(name) },
  task: { word: 'task', names: tasks, isKnown: (name: string) => tasks.includes(name) },
};

interface Place {
  readonly path: readonly (string | number)[];
  readonly name: string;
  readonly kind: keyof typeof kinds;
}

function placesOf(recipe: Recipe): Place[] {
  const each = (kind: Place['kind'], names: readonly string[], ...path: string[]): Place[] =>
    names.map((name, i) => ({ path: [...path, i], name, kind }));
  switch (recipe.kind) {
    case 'analyze':
      return each('scoring', recipe.methods, 'methods');
    case 'prune':
      return recipe.rule.kind === 'method'
        ? [{ path: ['rule', 'method'], name: recipe.rule.method, kind: 'choosing' }]
        : [];
    case 'evaluate':
      return each('task', recipe.tasks, 'tasks');
    case 'study': {
      const { methods, healing, evaluate } = recipe;
      return [
        ...each('choosing', methods, 'methods'),
        ...(healing && healing.methods !== 'all' ? each('choosing', healing.methods, 'healing', 'methods') : []),
        ...(evaluate ? each('task', evaluate.tasks, 'evaluate', 'tasks') : []),
      ];
    }
    default:
      return [];
  }
}
