// pipeline: one step after another, each a recipe of its own, with what earlier steps have made in the place of `$id`. Reports of
// finished steps are kept, so that a pipeline that was ended goes on after the last of them.
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeStagedFile } from '../../checkpoint/stagedFile';
import { cancelled, isUserError, stepsEnded, UserError } from '../../errors';
import { withinContent } from '../../files/contained';
import { choose } from '../../pruning/choose';
import { resolvedRule } from '../../pruning/budgetRule';
import { sizesOf } from '../../shared/budget';
import { finiteJson } from '../../shared/finite';
import { nullIfMissing } from '../../shared/systemErrors';
import type { AnalyzeReport } from '../analyze/recipe';
import { owningOutputs } from '../outputs';
import type { Run } from '../recipeContext';
import { readyToRun } from '../stepFolder';
import { stepProgress } from '../stepProgress';
import { openPipelineFolder } from './folder';
import { checkSteps, inputsOf } from './prepare';
import { gives, type Step, type StepRecipe, stepsOf, withPaths } from './steps';
import {
  type PipelineRecipe,
  type PipelineReport,
  type PipelineStep,
  type PipelineStepReport,
  stepNamed,
} from './recipe';
import { widthAsked } from '../prune/channels';
import { type StepRunners, stepRunners, whyItEnds } from './runners';

/** Throws UserError('cancelled') after the signal; what is finished by then stays. */
export async function runPipeline(
  recipe: PipelineRecipe,
  run: Run,
  runners: StepRunners = stepRunners,
): Promise<PipelineReport> {
  const out = resolve(recipe.out);
  const steps = stepsOf({ ...recipe, out });
  const inputs = await inputsOf(steps);
  const carried = new Map<string, PipelineStep>();
  const made = (id: string) => carried.get(id)?.made ?? null;
  const check = () => checkSteps(steps, made, (id) => carried.has(id), run);
  // The first look is before anything is written. Of a pipeline that goes on, finished steps need nothing any more.
  const isBegun = (await stat(join(out, 'pipeline.json')).catch(nullIfMissing)) !== null;
  if (!isBegun) await check();
  const folder = await openPipelineFolder({ ...recipe, out }, steps, inputs, (text) =>
    run.emit({ kind: 'warning', text }),
  );
  for (const step of steps) {
    const kept = await folder.kept(step);
    if (kept && (await isThere(step, kept.report)))
      carried.set(step.id, finished(step, kept.report, kept.elapsedMs, true));
  }
  if (isBegun) await check();

  for (const step of steps) {
    if (!carried.has(step.id)) {
      carried.set(step.id, await carryOut(step));
      // Only now is there what steps behind a pull can be checked by.
      if (step.recipe.kind === 'pull') await check();
    }
    await writeReport(out, carried.get(step.id)!);
  }
  const report: PipelineReport = { kind: 'pipeline', out, recipe, steps: steps.map(({ id }) => carried.get(id)!) };
  await folder.write({ 'report.json': `${finiteJson(report, 2)}\n` });
  return report;

  async function carryOut(step: Step): Promise<PipelineStep> {
    const began = performance.now();
    try {
      if (run.signal.aborted) throw cancelled();
      const asked = resolvedStep(step, out, carried);
      const report = await owningOutputs(asked, async () => {
        const { recipe: chosen, why } = (await run.ofStep?.withChosenWeights(asked)) ?? { recipe: asked, why: null };
        const carry = runners[step.recipe.kind] as (recipe: StepRecipe, run: Run) => Promise<PipelineStepReport>;
        const equal = { steps: steps.map(({ id }) => ({ id, operations: 1 })) };
        const emit = stepProgress(step, equal, run.emit);
        const { stay: _, ...rest } = run;
        return carry((await readyToRun(chosen)) as StepRecipe, { ...rest, whyWeights: why, emit });
      });
      const elapsedMs = performance.now() - began;
      const why = whyItEnds(report);
      if (why !== null) throw new UserError('badData', `Step ${step.id}: ${why}`);
      await folder.keep(step, { elapsedMs, report });
      return finished(step, report, elapsedMs, false);
    } catch (error) {
      throw isUserError(error) && error.code === 'cancelled' ? stepsEnded('pipeline', out) : error;
    }
  }
}

/** With paths in the place of steps, and blocks in the place of a rule that chooses by an analysis. */
function resolvedStep(step: Step, out: string, carried: ReadonlyMap<string, PipelineStep>): StepRecipe {
  const recipe = withPaths(step.recipe, (path, to) => {
    const name = stepNamed(path);
    if (name === null) return path;
    return to === 'inputFile' ? reportFile(out, name) : carried.get(name)!.made!;
  });
  if (step.scores === null || recipe.kind !== 'prune') return recipe;
  const analysis = carried.get(step.scores)!.report as AnalyzeReport;
  const { rule, met } = resolvedRule(recipe.rule, () => sizesOf(analysis.model, recipe));
  const { drop } = choose(rule, analysis.model.nBlocks, analysis);
  const width = widthAsked(recipe.mlpWidth, met, analysis.model.mlpWidth);
  return { ...recipe, rule: { kind: 'chosen', ...drop }, ...(width !== null && { mlpWidth: width }) };
}

const reportFile = (out: string, id: string): string => join(out, 'reports', `${id}.json`);

/** What somebody removed is made again. */
const isThere = async ({ recipe }: Step, report: PipelineStepReport): Promise<boolean> => {
  const made = gives[recipe.kind] === null ? null : madeBy(report);
  return made === null || (await stat(made).catch(nullIfMissing)) !== null;
};

const madeBy = (report: PipelineStepReport): string | null => ('out' in report ? report.out : null);

const finished = (
  { id, recipe: { kind } }: Step,
  report: PipelineStepReport,
  elapsedMs: number,
  doneBefore: boolean,
): PipelineStep => ({ id, kind, elapsedMs, doneBefore, made: madeBy(report), report });

/** As --json of the step's own command writes it; an earlier run may have been ended before. */
async function writeReport(out: string, { id, report }: PipelineStep): Promise<void> {
  const file = reportFile(out, id);
  if ((await stat(file).catch(nullIfMissing)) === null)
    await withinContent(out, () => writeStagedFile(file, `${finiteJson(report, 2)}\n`));
}
