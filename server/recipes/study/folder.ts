// The folder of a study: what was asked for in study.json, the report of every finished step in steps/, adapters, and models
// for as long as they are needed.
import { UserError } from '../../errors';
import { withNamesOfNow } from '../../shared/earlierNames';
import { asJson, type Kept, openStepFolder, type StepFolder } from '../stepFolder';
import type { StudyRecipe } from './recipe';
import type { Report } from '../kinds';
import { firstDifference } from '../firstDifference';
import { analysisStep, type Step } from './steps';

/** A step that came to a number that is not finite; or it was not carried out, since nothing is left that it is about. */
export interface LostStep {
  readonly kind: 'lost';
  readonly sentence: string;
}

/** What is kept of a finished step. */
export type KeptStep = Kept<Report | LostStep>;

export interface CarriedStep extends KeptStep {
  /** It was there when the study was run this time. */
  readonly doneBefore: boolean;
}

/** What a study reads, by what it contains. */
export interface StudyInputs {
  readonly modelSha256: string;
  readonly filesSha256: Readonly<Record<string, string>>;
}

/** By task. No part of StudyInputs: a study that was begun without them goes on. */
export type TaskHashes = Readonly<Record<string, string>>;

export type StudyFolder = StepFolder<Step, Report | LostStep>;

/**
 * Begins a study, or opens one that was begun with the same recipe. Throws UserError `usage` for a study of another recipe,
 * `badData` where a text or the model has changed since, `cannotWrite` where something else lies there.
 */
export const openStudyFolder = (
  recipe: StudyRecipe,
  inputs: StudyInputs,
  tasksSha256: TaskHashes | null,
  say: (text: string) => void,
): Promise<StudyFolder> =>
  openStepFolder<Step, Report | LostStep, Begun>(recipe.out, {
    kind: 'study',
    parts: ['steps', 'models', 'adapters'],
    reads: [recipe.model],
    begun: { recipe, inputs, tasksSha256 },
    isBegun: (found) => Boolean(found.recipe && found.inputs),
    inputs,
    first: analysisStep(recipe),
    firstInWords: 'analysis',
    refuseOther,
    say,
  });

interface Begun {
  readonly recipe: StudyRecipe;
  readonly inputs: StudyInputs;
  /** Absent in a study of a build that did not look at them. */
  readonly tasksSha256?: TaskHashes | null;
}

function refuseOther(out: string, then: Begun, now: Begun): void {
  const asWritten = withNamesOfNow(JSON.parse(asJson(now.recipe))) as object;
  const other = firstDifference(then.recipe, asWritten);
  if (other)
    throw new UserError(
      'usage',
      `The study in ${out} was begun with ${other.name} = ${other.before}, not ${other.after}; go on with that, or give this one another out.`,
    );
  const changed = firstDifference(then.inputs.filesSha256, now.inputs.filesSha256)?.name;
  const task = then.tasksSha256 && firstDifference(then.tasksSha256, now.tasksSha256 ?? {})?.name;
  const changedInput = changed ?? (task && `The data of ${task}`);
  const what = then.inputs.modelSha256 === now.inputs.modelSha256 ? changedInput : now.recipe.model;
  if (what)
    throw new UserError(
      'badData',
      `${what} is not what it was when the study in ${out} was begun; put it back, or give this study another out.`,
    );
}
