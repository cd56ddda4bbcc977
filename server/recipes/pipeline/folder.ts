// The folder of a pipeline: what was asked for in pipeline.json, reports of finished steps, and what they made.
import { UserError } from '../../errors';
import { withNamesOfNow } from '../../shared/earlierNames';
import { firstDifference } from '../firstDifference';
import type { PathTarget } from '../recipeKind';
import { asJson, openStepFolder, type StepFolder } from '../stepFolder';
import type { PipelineInputs } from './prepare';
import { type PipelineRecipe, type PipelineStepReport, stepNamed } from './recipe';
import { type Step, withPaths } from './steps';

export type PipelineFolder = StepFolder<Step, PipelineStepReport>;

/**
 * Begins a pipeline, or opens one that was begun with the same recipe. Throws UserError `usage` for a pipeline of another recipe,
 * `badData` where a text or a model has changed since, `cannotWrite` where something else lies there.
 */
export const openPipelineFolder = (
  recipe: PipelineRecipe,
  steps: readonly Step[],
  inputs: PipelineInputs,
  say: (text: string) => void,
): Promise<PipelineFolder> =>
  openStepFolder<Step, PipelineStepReport, Begun>(recipe.out, {
    kind: 'pipeline',
    parts: ['steps', 'reports', 'made'],
    reads: foldersRead(steps),
    begun: { recipe, inputs },
    isBegun: (found) => Boolean(found.recipe && found.inputs),
    inputs,
    first: steps[0]!,
    firstInWords: `step ${steps[0]!.id}`,
    refuseOther,
    say,
  });

interface Begun {
  readonly recipe: PipelineRecipe;
  readonly inputs: PipelineInputs;
}

const readFolders = new Set<PathTarget>(['modelFolder', 'adapterFolder', 'inputFolder']);

function foldersRead(steps: readonly Step[]): string[] {
  const folders = new Set<string>();
  for (const { recipe } of steps)
    withPaths(recipe, (path, to) => {
      if (stepNamed(path) === null && readFolders.has(to)) folders.add(path);
      return path;
    });
  return [...folders];
}

function refuseOther(out: string, then: Begun, now: Begun): void {
  const asWritten = withNamesOfNow(JSON.parse(asJson(now.recipe))) as PipelineRecipe;
  // Lists are compared as a whole, and by their ids steps can be named.
  const byId = ({ steps, ...rest }: PipelineRecipe) => ({
    ...rest,
    steps: Object.fromEntries(steps.map(({ id, ...step }, at) => [id, { at, ...step }])),
  });
  const other = firstDifference(byId(then.recipe), byId(asWritten));
  if (other)
    throw new UserError(
      'usage',
      `The pipeline in ${out} was begun with ${other.name} = ${other.before}, not ${other.after}; go on with that, or give this one another out.`,
    );
  const changed =
    firstDifference(then.inputs.filesSha256, now.inputs.filesSha256)?.name ??
    firstDifference(then.inputs.modelsSha256, now.inputs.modelsSha256)?.name;
  if (changed)
    throw new UserError(
      'badData',
      `${changed} is not what it was when the pipeline in ${out} was begun; put it back, or give this pipeline another out.`,
    );
}
