// evaluate: models on tasks, each item scored as lm-evaluation-harness does, variants beside the base.
import { checkStagedFile } from '../checkpoint/stagedFile';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { answersOf, batchTokens, type PackedTask, packTask } from '../evaluation/packedTask';
import { openScoreboard } from '../evaluation/scoreboard';
import { addedTiming, addedWork } from '../evaluation/spent';
import { modelWarnings } from '../evaluation/settingsWarnings';
import { loadTask, resolveTasks } from '../evaluation/tasks';
import type { LoadedTask } from '../evaluation/tasks/task';
import type { EvaluateRecipe, EvaluateReport, GenerationCheck, RunFacts, ScoringWork, Timing } from '../protocol';
import type { Device } from '../runtime/device';
import { openTokenizer } from '../tokenizer/tokenizer';
import { scoringWork } from '../walk/packedCost';
import type { Bundle, PackedBatch } from '../walk/packing';
import { scoreRequests } from '../walk/scoring';
import { planScoring } from '../walk/scoringPlan';
import { buildTrie } from '../walk/variantTrie';
import { type Family, openModels } from './evaluatedModels';
import { writeSamples } from './evaluateSamples';
import { checkGeneration } from './generationCheck';
import {
  limitOf,
  noTime,
  progress,
  type Run,
  runFacts,
  timed,
  withCheckpoint,
  withDevice,
  withPlannedModel,
} from './session';

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
        const { maxTokens } = models[family.members[0]!.model]!;
        await scoreFamily(device, checkpoint, family, tasks, maxTokens, recipe, run, {
          spent: sum.add,
          scored(task, ofMembers) {
            for (const [i, { model }] of family.members.entries()) board.add(model, task, ofMembers[i]!);
            run.emit({ kind: 'scored', report: known() });
          },
          generated: (checks) => void generation.push(...checks),
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

interface Told {
  spent(work: ScoringWork, timing: Timing, memory: RunFacts['memory']): void;
  /** @param ofMembers answers by member, item and request */
  scored(task: LoadedTask, ofMembers: readonly ReturnType<typeof answersOf>[]): void;
  generated(checks: readonly GenerationCheck[]): void;
}

/** All members of a family on all tasks, with the weights brought in once. */
async function scoreFamily(
  device: Device,
  checkpoint: Checkpoint,
  { members }: Family,
  tasks: readonly LoadedTask[],
  maxTokens: number,
  recipe: EvaluateRecipe,
  run: Run,
  told: Told,
): Promise<void> {
  const { config, name, folder } = checkpoint;
  const began = performance.now();
  const tokenizer = await openTokenizer(folder);
  const packed = new Map<LoadedTask, PackedTask>();
  for (const [i, task] of tasks.entries()) {
    packed.set(task, packTask(task.items, tokenizer, config, maxTokens));
    progress(run, `${name}: read the tasks`)((i + 1) / tasks.length);
  }
  const tokenizeMs = performance.now() - began;

  const paths = members.map(({ path }) => path);
  const trie = buildTrie(paths);
  const workOf = (parts: readonly PackedTask[]) => {
    const add = (of: (part: PackedTask) => number) => parts.reduce((n, part) => n + of(part), 0);
    const bundles = parts.flatMap((part) => part.bundles);
    return scoringWork(
      config,
      bundles,
      trie,
      add((part) => part.nPlainTokens),
      add((part) => part.nRequests),
    );
  };
  const work = workOf([...packed.values()]);
  const plan = planScoring(config, {
    nTokens: work.nPaddedTokens,
    batchTokens,
    nPaths: paths.length,
    memory: recipe.compute.memory,
    limitBytes: limitOf(recipe.compute),
  });
  const cost = { nWindows: work.nRequests, cacheBytes: 0, operations: work.operations };
  await withPlannedModel(checkpoint, device, recipe.compute, plan, cost, run, async (model, loadMs) => {
    let done = 0;
    const total: Timing = { ...noTime, loadMs, tokenizeMs, tokens: work.nTokens * paths.length };
    // Weights that are streamed are read once for all tasks.
    for (const portion of plan.mode === 'resident' ? tasks.map((task) => [task]) : [tasks]) {
      const parts = portion.map((task) => packed.get(task)!);
      const share = workOf(parts).operations / work.operations;
      const tell = progress(run, `${name}: ${portion.length === 1 ? portion[0]!.facts.title : 'all tasks'}`);
      const { result, elapsedMs, compileMs } = await timed(device, () =>
        scoreParts(parts, (bundles, nRequests) =>
          scoreRequests(model, bundles, nRequests, paths, {
            groupBytes: plan.groupBytes,
            signal: run.signal,
            onProgress: (fraction) => tell(done + share * fraction),
          }),
        ),
      );
      done += share;
      total.elapsedMs += elapsedMs;
      total.compileMs += compileMs;
      for (const [i, task] of portion.entries()) told.scored(task, result[i]!);
    }
    if (recipe.generate) told.generated(await checkGeneration(model, tokenizer, members, run));
    told.spent(work, total, plan.mode);
  });
}

/** Scores several packed tasks as one; answers by task and path. */
async function scoreParts(
  parts: readonly PackedTask[],
  score: (bundles: PackedTask['bundles'], nRequests: number) => ReturnType<typeof scoreRequests>,
) {
  const starts = parts.map((_, i) => parts.slice(0, i).reduce((n, { nRequests }) => n + nRequests, 0));
  const shifted = parts.flatMap(({ bundles }, i) => bundles.map((bundle) => withRequestsFrom(starts[i]!, bundle)));
  const scores = await score(
    shifted,
    parts.reduce((n, { nRequests }) => n + nRequests, 0),
  );
  return parts.map((part, i) =>
    scores.map(({ logLikelihoods, isGreedy }) => {
      const [first, end] = [starts[i]!, starts[i]! + part.nRequests];
      return answersOf(part, {
        logLikelihoods: logLikelihoods.subarray(first, end),
        isGreedy: isGreedy.subarray(first, end),
      });
    }),
  );
}

function withRequestsFrom(start: number, { stem, batches }: Bundle): Bundle {
  if (start === 0) return { stem, batches };
  const shift = (batch: PackedBatch) => ({
    ...batch,
    asks: { ...batch.asks, requests: batch.asks.requests.map((request) => start + request) },
  });
  return { stem: stem.map(shift), batches: batches.map(shift) };
}

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
