// evaluate: models on tasks, each item scored as lm-evaluation-harness does, variants beside the original.
import { isUserError, type UserError } from '../../errors';
import { withStoredCheckpoint } from '../../execution/storedWeights';
import { checkStagedFile } from '../../checkpoint/stagedFile';
import { openScoreboard } from '../../evaluation/scoreboard';
import { addedTiming, addedWork } from '../../evaluation/spent';
import { modelWarnings } from '../../evaluation/settingsWarnings';
import { loadTask, resolveTasks } from '../../evaluation/tasks';
import type { LoadedTask } from '../../evaluation/tasks/task';
import type { EvaluateRecipe, EvaluateReport, GenerationCheck, NotFiniteModel, ScoringWork } from './recipe';
import type { Timing } from '../../protocol/reports';
import { openModels } from './models';
import { writeSamples } from './samples';
import { scoreFamily } from './scoreFamily';
import {
  type HeldFacts,
  noTime,
  nothingHeld,
  type Run,
  runFacts,
  warnOfDifferences,
  withDevice,
} from '../recipeContext';

export const runEvaluate = (recipe: EvaluateRecipe, run: Run): Promise<EvaluateReport> =>
  withDevice(recipe.compute, async (device) => {
    const resolved = resolveTasks(recipe.tasks);
    if (recipe.samples) await checkStagedFile(recipe.samples);
    const { models, families, sources } = await openModels(recipe);
    const tasks: LoadedTask[] = [];
    for (const task of resolved.tasks) tasks.push(await loadTask(task, recipe));

    const labels = models.map(({ label }) => label);
    const board = openScoreboard(labels, tasks, resolved.groups);
    const lost = openLost();
    const known = () => ({
      models,
      tasks: tasks.map(({ facts }) => facts),
      groups: resolved.groups,
      ...withoutLost({ scores: board.scores(), comparisons: board.comparisons() }, lost.models(), labels),
      warnings: modelWarnings(models),
    });
    const generation: GenerationCheck[] = [];
    const sum = openSum();
    for (const family of families) {
      await withStoredCheckpoint(family.folder, recipe.compute.weights, async (checkpoint) => {
        warnOfDifferences(checkpoint, run);
        const { maxTokens } = models[family.members[0]!.model]!;
        const { members } = family;
        const compares = family === families[0];
        await scoreFamily({ device, checkpoint, members, tasks, maxTokens, compares }, recipe, run, {
          onSpent: sum.add,
          onScored(task, ofMembers) {
            for (const [i, { model }] of members.entries()) {
              const answers = ofMembers[i]!;
              if (isUserError(answers)) lost.add(model, answers);
              else board.add(model, task, answers);
            }
            run.emit({ kind: 'scored', report: known() });
          },
          left: (all) => all.filter(({ model }) => !lost.has(model)),
          onGenerated(written) {
            for (const { model, checks } of written)
              if (isUserError(checks)) lost.add(model, checks);
              else generation.push(...checks);
          },
        });
      });
      // Programs are compiled for one model's shapes.
      await device.forgetPrograms();
    }
    for (const source of sources) await source.refuseChanged();
    const finite = models.flatMap(({ label }, model) => (lost.has(model) ? [] : [{ label, model }]));
    if (recipe.samples) await writeSamples(recipe.samples, finite, tasks, board);
    const { work, timing, held } = sum.total();
    return {
      kind: 'evaluate',
      ...known(),
      generation: recipe.generate ? generation : null,
      items: recipe.items,
      work,
      ...runFacts(recipe.compute, device, held, timing),
    };
  });

/** Models whose results are not finite, each with the first reason. */
function openLost() {
  const sentences = new Map<number, string>();
  return {
    has: (model: number) => sentences.has(model),
    /** @throws the reason where it is the original, without which nothing can be compared */
    add(model: number, reason: UserError) {
      if (model === 0) throw reason;
      if (!sentences.has(model)) sentences.set(model, reason.message);
    },
    models: (): NotFiniteModel[] => [...sentences].map(([model, sentence]) => ({ model, sentence })),
  };
}

/** A model that is lost in one task has no scores in the others either, since sums and means would be of fewer tasks. */
function withoutLost(
  { scores, comparisons }: Pick<EvaluateReport, 'scores' | 'comparisons'>,
  lost: readonly NotFiniteModel[],
  labels: readonly string[],
): Pick<EvaluateReport, 'scores' | 'comparisons' | 'notFinite'> {
  if (lost.length === 0) return { scores, comparisons };
  const gone = new Set(lost.map(({ model }) => model));
  return {
    scores: scores.filter(({ model }) => !gone.has(model)),
    comparisons: comparisons.filter(({ variant }) => !gone.has(labels.indexOf(variant))),
    notFinite: [...lost],
  };
}

/** Work and time of all families, and how the first is held. */
function openSum() {
  let work: ScoringWork | null = null;
  let timing = noTime;
  let held: HeldFacts | null = null;
  return {
    add(more: ScoringWork, spent: Timing, ofFamily: HeldFacts) {
      work = work ? addedWork(work, more) : more;
      timing = addedTiming(timing, spent);
      held ??= ofFamily;
    },
    total: () => ({ work: work!, timing, held: held ?? nothingHeld }),
  };
}
