// Names of methods and tasks in a recipe: which of them are none, and what may have been meant.
import { choosingMethodNames, importanceMethodNames } from '../shared/methods';
import { taskNames } from '../evaluation/tasks';
import { nearNames } from '../shared/nearName';
import { kinds, type Recipe } from './kinds';
import { type Place, replaceMeant } from './meanings';
import type { NamedThing } from './recipeKind';

export interface UnknownName {
  /** Where in the recipe it stands. */
  readonly path: Place;
  readonly sentence: string;
}

/** The first name that is none; null where all are known. */
export function unknownName(recipe: Recipe): UnknownName | null {
  const found = namesIn(recipe).find(({ name, of }) => !tables[of].names.includes(name));
  if (!found) return null;
  const { place, name, of } = found;
  const { word, names } = tables[of];
  const near = nearNames(name, names);
  const all = names.length > 40 ? [...names.slice(0, 12), '...'] : names;
  const hint = near.length === 0 ? `choose from ${all.join(', ')}` : `the nearest is ${near.join(' or ')}`;
  return { path: place, sentence: `There is no ${word} ${name}; ${hint}.` };
}

const tables: Record<NamedThing, { readonly word: string; readonly names: readonly string[] }> = {
  scoringMethod: { word: 'method', names: ['all', 'none', ...importanceMethodNames] },
  choosingMethod: { word: 'method', names: [...importanceMethodNames, ...choosingMethodNames] },
  task: { word: 'task', names: taskNames() },
};

/** All names that a recipe may use for such a thing. */
export const namesOf = (thing: NamedThing): readonly string[] => tables[thing].names;

interface Named {
  readonly place: Place;
  readonly name: string;
  readonly of: NamedThing;
}

function namesIn(recipe: Recipe): Named[] {
  const found: Named[] = [];
  replaceMeant(kinds[recipe.kind].schema, recipe, (value, meaning, place) => {
    if (meaning.is === 'name') found.push({ place, name: value as string, of: meaning.of });
    return value;
  });
  return found;
}
