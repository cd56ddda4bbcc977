// The paths of a recipe, by what they lead to.
import { kinds, type Recipe } from './kinds';
import { replaceMeant } from './meanings';
import { stepNamed } from './pipeline/recipe';
import type { PathTarget } from './recipeKind';

export interface PathMapping {
  model(path: string): string;
  read(path: string): string;
  write(path: string): string;
}

const mappings: Record<PathTarget, keyof PathMapping> = {
  modelFolder: 'model',
  adapterFolder: 'model',
  inputFile: 'read',
  inputFolder: 'read',
  outputFile: 'write',
  outputFolder: 'write',
};

/** The recipe with every path replaced. */
export const mapPaths = <R extends Recipe>(recipe: R, paths: PathMapping): R =>
  replaceMeant(kinds[recipe.kind].schema, recipe, (value, meaning) =>
    meaning.is === 'path' && !isMadeByStep(recipe, value as string)
      ? paths[mappings[meaning.to]](value as string)
      : value,
  ) as R;

/** It stands for what a step of the pipeline will have made, and is no path yet. */
export const isMadeByStep = ({ kind }: Recipe, path: string): boolean =>
  kind === 'pipeline' && stepNamed(path) !== null;
