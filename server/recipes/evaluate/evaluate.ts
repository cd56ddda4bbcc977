// evaluate: models on tasks, each item scored as lm-evaluation-harness does, variants beside the base.
import { withCheckpoint } from '../../checkpoint/checkpoint';
import { checkStagedFile } from '../../checkpoint/stagedFile';
import { openScoreboard } from '../../evaluation/scoreboard';
import { addedTiming, addedWork } from '../../evaluation/spent';
import { modelWarnings } from '../../evaluation/settingsWarnings';
import { loadTask, resolveTasks } from '../../evaluation/tasks';
import type { LoadedTask } from '../../evaluation/tasks/task';
import type { EvaluateRecipe, EvaluateReport, GenerationCheck, ScoringWork } from './recipe';
import type { RunFacts, Timing } from '../../protocol/reports';
import { openModels } from './models';
import { writeSamples } from './samples';
import { scoreFamily } from './scoreFamily';
import { noTime, type Run, runFacts, warnOfDifferences, withDevice } from '../recipeContext';

export const runEvaluate = (recipe: EvaluateRecipe, run: Run): Promise<EvaluateReport> =>
  withDevice(recipe.compute, async (device) => {
    const resolved = resolveTasks(recipe.tasks);
    if (recipe.samples) await checkStagedFile(recipe.samples);
    const { models, families } = await openModels(recipe);
    const tasks: LoadedTask[] = [];
    for (const task of resolved.tasks) tasks.push(await loadTask(task, recipe));

    const labels = models.map(({ label }) => label);
    const board = openScoreboard(labels, tasks, resolved.groups);
    const known = () => ({
      models,
      tasks: tasks.map(({ facts }) => facts),
      groups: resolved.groups,
      scores: board.scores(),
      comparisons: board.comparisons(),
      warnings: modelWarnings(models),
    });
    const generation: GenerationCheck[] = [];
    const sum = openSum();
    for (const family of families) {
      await withCheckpoint(family.folder, async (checkpoint) => {
        warnOfDifferences(checkpoint, run);
        const { maxTokens } = models[family.members[0]!.model]!;
        const { members } = family;
        await scoreFamily({ device, checkpoint, members, tasks, maxTokens }, recipe, run, {
          onSpent: sum.add,
          onScored(task, ofMembers) {
            for (const [i, { model }] of members.entries()) board.add(model, task, ofMembers[i]!);
            run.emit({ kind: 'scored', report: known() });
          },
          onGenerated: (checks) => void generation.push(...checks),
        });
      });
      // Programs are compiled for one model's shapes.
      await device.forgetPrograms();
    }
    if (recipe.samples) await writeSamples(recipe.samples, labels, tasks, board);
    const { work, timing, memory } = sum.total();
    return {
      kind: 'evaluate',
      ...known(),
      generation: recipe.generate ? generation : null,
      items: recipe.items,
      work,
      ...runFacts(recipe.compute, device, memory, timing),
    };
  });

/** Work and time of all families. */
function openSum() {
  let work: ScoringWork | null = null;
  let timing = noTime;
  let memory: RunFacts['memory'] = 'resident';
  return {
    add(more: ScoringWork, spent: Timing, mode: RunFacts['memory']) {
      work = work ? addedWork(work, more) : more;
      timing = addedTiming(timing, spent);
      memory = mode;
    },
    total: () => ({ work: work!, timing, memory }),
  };
}
