// study: every method at every count, repaired and healed as asked for, measured beside the original. It is done in steps whose
// reports are kept, so that a study that was ended goes on after its last finished step.
import { cancelled, isUserError, stepsEnded, UserError } from '../../errors';
import { isFolder } from '../../checkpoint/folder';
import { withinContent } from '../../files/contained';
import { removeTree } from '../../files/remove';
import type { StudyPlan } from '../../protocol/engine';
import type { RecipeOf, ReportOf } from '../kinds';
import type { AskedStudy, StepKind, StudyRecipe, StudyReport } from './recipe';
import type { AnalyzeReport } from '../analyze/recipe';
import { measureOperationsPerSecond } from '../../runtime/speed';
import { runAnalyze } from '../analyze/analyze';
import { runEvaluate } from '../evaluate/evaluate';
import { runHeal } from '../heal/heal';
import { runMerge } from '../merge/merge';
import { runPerplexity } from '../perplexity/perplexity';
import { runPrune } from '../prune/prune';
import { owningOutputs } from '../outputs';
import { type Run, withDevice } from '../recipeContext';
import { estimateStudy } from './estimate';
import { readyToRun } from '../stepFolder';
import { stepProgress } from '../stepProgress';
import { type CarriedStep, type KeptStep, type LostStep, openStudyFolder, type StudyFolder } from './folder';
import {
  analysisStep,
  type Batch,
  modelsThatStay,
  planStudy,
  type Step,
  type StepRecipe,
  type StudySteps,
} from './steps';
import { withoutLost } from './lost';
import { prepareStudy } from './inputs';
import { studyReport } from './report';
import { chosenSets, supposedSets } from './variants';

/** What carries the steps out. */
export type StepRunners = {
  readonly [K in StepKind]: (recipe: RecipeOf<K>, run: Run) => Promise<ReportOf<K>>;
};

export const stepRunners: StepRunners = {
  analyze: runAnalyze,
  evaluate: runEvaluate,
  perplexity: runPerplexity,
  prune: runPrune,
  heal: runHeal,
  merge: runMerge,
};

/** Throws UserError('cancelled') after the signal; what is finished by then stays. */
export async function runStudy(asked: AskedStudy, run: Run, runners: StepRunners = stepRunners): Promise<StudyReport> {
  const { recipe: counted, budgets, config, model, shapes, inputs, tasksSha256, source } = await prepareStudy(asked);
  const folder = await openStudyFolder(counted, inputs, tasksSha256, (text) => run.emit({ kind: 'warning', text }));
  const known = await folder.kept(analysisStep(counted));
  const recipe = inBegunWidth(counted, known, run);
  const operationsPerSecond = await withDevice(recipe.compute, (device) => measureOperationsPerSecond(device));
  const carried = new Map<string, CarriedStep>();
  const emitPlan = (plan: StudySteps): StudyPlan => {
    const estimated = estimateStudy(config, plan, shapes, operationsPerSecond, ({ id }) => carried.has(id));
    run.emit({ kind: 'study', plan: estimated });
    return estimated;
  };

  const first = analysisStep(recipe);
  if (known) carried.set(first.id, { ...known, doneBefore: true });
  else {
    const supposed = emitPlan(planStudy(recipe, model, supposedSets(recipe)));
    carried.set(first.id, await carryOut(first, supposed));
  }
  const sets = chosenSets(recipe, carried.get(first.id)!.report as AnalyzeReport);
  const plan = planStudy(recipe, model, sets);
  for (const { id, kept } of await finishedSteps(plan, folder))
    if (!carried.has(id)) carried.set(id, { ...kept, doneBefore: true });

  const estimated = emitPlan(plan);
  for (const [i, step] of plan.steps.entries()) {
    if (!carried.has(step.id)) carried.set(step.id, await carryOutOrLose(step, estimated));
    const isLastOfBatch = step.batch !== null && plan.steps[i + 1]?.batch !== step.batch;
    if (isLastOfBatch) await removeModels(recipe, plan.batches[step.batch!]!);
  }
  const found = studyReport(recipe, model, plan, carried);
  const report = budgets.length > 0 ? { ...found, budgets: [...budgets] } : found;
  // Only here is it needed what draws.
  const { studyFiles } = await import('./files');
  await folder.write(studyFiles(report, Date.now()));
  return report;

  /** A variant that is not finite is lost with what is made of it, and the others go on. */
  async function carryOutOrLose(step: Step, of: StudyPlan): Promise<CarriedStep> {
    const left = withoutLost(step, plan, carried);
    const began = performance.now();
    try {
      if ('sentence' in left) throw new UserError('notFinite', left.sentence);
      return await carryOut(left, of, step);
    } catch (error) {
      if (step.batch === null || !isUserError(error) || error.code !== 'notFinite') throw error;
      const report: LostStep = { kind: 'lost', sentence: error.message };
      const kept: KeptStep = { elapsedMs: performance.now() - began, report };
      await folder.keep(step, kept);
      return { ...kept, doneBefore: false };
    }
  }

  /** @param planned what it is kept as: which models are left follows from the steps before it */
  async function carryOut(step: Step, of: StudyPlan, planned = step): Promise<CarriedStep> {
    const began = performance.now();
    try {
      if (run.signal.aborted) throw cancelled();
      const carry = runners[step.recipe.kind] as (recipe: StepRecipe, run: Run) => Promise<ReportOf<StepKind>>;
      const report = await owningOutputs(step.recipe, async () =>
        carry(await readyToRun(step.recipe), { signal: run.signal, emit: stepProgress(step, of, run.emit) }),
      );
      await source.refuseChanged();
      const kept: KeptStep = { elapsedMs: performance.now() - began, report };
      await folder.keep(planned, kept);
      return { ...kept, doneBefore: false };
    } catch (error) {
      throw isUserError(error) && error.code === 'cancelled' ? stepsEnded('study', recipe.out) : error;
    }
  }
}

/** Where `auto` chose, a study that goes on stays in the width of its first step, so that its numbers can be compared. */
function inBegunWidth(recipe: StudyRecipe, known: KeptStep | null, { whyWeights }: Run): StudyRecipe {
  const weights = known && 'weights' in known.report ? known.report.weights : undefined;
  return whyWeights && weights ? { ...recipe, compute: { ...recipe.compute, weights } } : recipe;
}

/**
 * The steps that need not be done again. Of a batch that is not complete, those whose folder is still there; of one that
 * is, all: its models may have been removed.
 */
async function finishedSteps({ steps }: StudySteps, folder: StudyFolder): Promise<{ id: string; kept: KeptStep }[]> {
  const kept = new Map<string, KeptStep>();
  for (const step of steps) {
    const found = await folder.kept(step);
    if (found) kept.set(step.id, found);
  }
  const isComplete = (batch: number) => steps.every((step) => step.batch !== batch || kept.has(step.id));
  const finished: { id: string; kept: KeptStep }[] = [];
  for (const { id, recipe, batch } of steps) {
    const found = kept.get(id);
    const isThere =
      !('out' in recipe) ||
      found?.report.kind === 'lost' ||
      (batch !== null && isComplete(batch)) ||
      (await isFolder(recipe.out));
    if (found && isThere) finished.push({ id, kept: found });
  }
  return finished;
}

async function removeModels(recipe: StudyRecipe, batch: Batch): Promise<void> {
  const stay = modelsThatStay(recipe, batch);
  for (const folder of batch.folders)
    if (!stay.includes(folder)) await withinContent(recipe.out, () => removeTree(folder));
}
