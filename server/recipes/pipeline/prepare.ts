// What a pipeline needs to know before it starts, read and checked as far as it is there: models, texts, tasks, rules, memory. A
// step whose model is still to be made is checked by the model that it will be made of, which is no smaller.
import { type Checkpoint, withCheckpoint } from '../../checkpoint/checkpoint';
import { isFolder } from '../../checkpoint/folder';
import { readTrainingData } from '../../data/trainingData';
import { UserError } from '../../errors';
import { resolvedRule } from '../../pruning/budgetRule';
import { checkRule } from '../../pruning/choose';
import { sizesOf } from '../../shared/budget';
import { scoredBy } from '../../shared/methods';
import { openTokenizer } from '../../tokenizer/tokenizer';
import { kinds, modelsOf } from '../kinds';
import { summarize } from '../modelSummary';
import type { Run } from '../recipeContext';
import { sequencesFor } from '../sequences';
import { hashFiles } from '../stepFolder';
import { checkTasks, modelSha256 } from '../study/inputs';
import { needsText, widthAsked } from '../prune/channels';
import { methodNames } from '../work';
import { type PipelineStepKind, stepNamed } from './recipe';
import { type Step, type StepRecipe, withPaths } from './steps';

/** What a pipeline reads, by what it contains. */
export interface PipelineInputs {
  readonly modelsSha256: Readonly<Record<string, string>>;
  readonly filesSha256: Readonly<Record<string, string>>;
}

/** The folder that a step has made, or found; null: not yet, or none. */
export type MadeBy = (id: string) => string | null;

/** Of all models and files that steps name as paths. @throws UserError for what is not there */
export async function inputsOf(steps: readonly Step[]): Promise<PipelineInputs> {
  const places = { modelFolder: new Set<string>(), inputFile: new Set<string>() };
  for (const { recipe } of steps)
    withPaths(recipe, (path, to) => {
      if (stepNamed(path) === null && (to === 'modelFolder' || to === 'inputFile')) places[to].add(path);
      return path;
    });
  const modelsSha256: Record<string, string> = {};
  // An adapter may be proven, too; it says nothing by its headers.
  for (const folder of places.modelFolder)
    modelsSha256[folder] = await withCheckpoint(folder, async (model) => modelSha256(model));
  return { modelsSha256, filesSha256: await hashFiles([...places.inputFile]) };
}

/** @throws UserError with a sentence for whatever could not be carried out */
export async function checkSteps(steps: readonly Step[], made: MadeBy, isDone: (id: string) => boolean, run: Run) {
  const pullsTasks = steps.some(({ id, recipe }) => recipe.kind === 'pull' && recipe.tasks && !isDone(id));
  for (const step of steps) {
    if (isDone(step.id)) continue;
    try {
      await checkStep(step, originsOf(steps, made), pullsTasks, run);
    } catch (error) {
      throw error instanceof UserError ? new UserError(error.code, `Step ${step.id}: ${error.message}`) : error;
    }
  }
}

/** null: it has yet to be pulled. */
type OriginOf = (path: string) => string | null;

const originsOf = (steps: readonly Step[], made: MadeBy): OriginOf => {
  const originOf: OriginOf = (path) => {
    const name = stepNamed(path);
    if (name === null) return path;
    const recipe = steps.find(({ id }) => id === name)?.recipe;
    return made(name) ?? (recipe && 'model' in recipe ? originOf(recipe.model) : null);
  };
  return originOf;
};

async function checkStep(step: Step, originOf: OriginOf, pullsTasks: boolean, run: Run): Promise<void> {
  const { recipe } = step;
  const { data } = recipe.kind === 'evaluate' ? recipe : { data: null };
  if (data !== null && !(await isFolder(data)))
    throw new UserError('notFound', `There is no folder ${data}; give the one with the tasks' data.`);
  const origins = modelsOf(recipe).map(originOf);
  const [origin] = origins;
  if (!origin || origins.includes(null) || recipe.kind === 'prove' || recipe.kind === 'publish') return;
  const standIn = withPaths(recipe, (path, to) => (to === 'modelFolder' ? (originOf(path) ?? path) : path));
  await withCheckpoint(origin, async (checkpoint) => {
    const check = checks[recipe.kind] as Check | undefined;
    if (!(recipe.kind === 'evaluate' && pullsTasks)) await check?.(standIn, checkpoint, step);
  });
  if (kinds[recipe.kind].planned !== 'nothing') await run.ofStep?.plan(standIn);
}

type Check<R = StepRecipe> = (recipe: R, checkpoint: Checkpoint, step: Step) => Promise<unknown>;
type Checks = { readonly [K in PipelineStepKind]?: Check<Extract<StepRecipe, { kind: K }>> };

const checks: Checks = {
  async analyze({ methods, source }, checkpoint) {
    methodNames(methods);
    await sequencesFor(checkpoint, source);
  },
  async prune({ rule: asked, source, repair, ...form }, checkpoint, { scores }) {
    const model = summarize(checkpoint);
    const { rule, met } = resolvedRule(asked, () => sizesOf(model, form));
    if (widthAsked(form.mlpWidth, met, model.mlpWidth) !== null && !source) throw needsText();
    if (rule.kind === 'method' && scores === null && !source)
      throw new UserError('usage', `The method ${rule.method} needs a text; give the step a source, or scores.`);
    checkRule(rule, model.nBlocks, rule.kind === 'method' ? scoredBy(rule.method) : 'block');
    if (source && (repair || scores === null)) await sequencesFor(checkpoint, source);
  },
  async heal({ data, loop }, checkpoint) {
    const { contextLength, vocabularySize } = checkpoint.config;
    await readTrainingData(data, await openTokenizer(checkpoint.folder), { contextLength, vocabularySize });
    if (loop.heldOut) await sequencesFor(checkpoint, loop.heldOut);
  },
  evaluate: (recipe) => checkTasks(recipe),
  perplexity: ({ source }, checkpoint) => sequencesFor(checkpoint, source),
};
