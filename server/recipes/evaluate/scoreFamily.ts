// All models that are paths through one checkpoint, on all tasks, with the weights brought in once.
import { isUserError, type UserError } from '../../errors';
import type { Checkpoint } from '../../checkpoint/checkpoint';
import { answersOf, batchTokens, type PackedTask, packTask } from '../../evaluation/packedTask';
import type { LoadedTask } from '../../evaluation/tasks/task';
import type { EvaluateRecipe, ScoringWork } from './recipe';
import type { Timing } from '../../protocol/reports';
import type { Device } from '../../runtime/device';
import { openTokenizer } from '../../tokenizer/tokenizer';
import { scoringOperations, scoringWork } from '../../execution/packedCost';
import type { PrefixBatches, PackedBatch } from '../../execution/packing';
import { scoreRequests } from '../../execution/scoring';
import { limitsOf } from '../../execution/memoryLimits';
import { planScoring } from '../../execution/scoringPlan';
import { buildTrie } from '../../execution/variantTrie';
import type { Family } from './models';
import { checkGeneration, type Written } from './generationCheck';
import { type HeldFacts, noTime, progress, type Run, timed, withPlannedModel } from '../recipeContext';
import { comparedText } from './comparedText';

/** A family on a device, with the tasks that it is scored on. */
export interface FamilyOnDevice {
  readonly device: Device;
  readonly checkpoint: Checkpoint;
  readonly members: Family['members'];
  readonly tasks: readonly LoadedTask[];
  /** The longest input of the family's models. */
  readonly maxTokens: number;
  /** What narrower matrices cost is measured on the family of the original alone. */
  readonly compares: boolean;
}

/** Called as results become known. */
export interface ScoringEvents {
  onSpent(work: ScoringWork, timing: Timing, held: HeldFacts): void;
  /** @param ofMembers answers by member, item and request; the reason for a member whose scores are not finite */
  onScored(task: LoadedTask, ofMembers: readonly (ReturnType<typeof answersOf> | UserError)[]): void;
  /** The members whose scores are finite so far. */
  left(members: Family['members']): Family['members'];
  onGenerated(written: readonly Written[]): void;
}

export async function scoreFamily(
  family: FamilyOnDevice,
  recipe: EvaluateRecipe,
  run: Run,
  events: ScoringEvents,
): Promise<void> {
  const { device, checkpoint, members, tasks } = family;
  const { config, name } = checkpoint;
  const { tokenizer, packed, tokenizeMs } = await packTasks(family, run);
  const paths = members.map(({ path }) => path);
  const trie = buildTrie(paths);
  const { work, plan, cost } = await planFamily(family, [...packed.values()], trie, recipe);
  const sequences =
    family.compares && config.storage ? await comparedText(tasks[0]!.items, tokenizer, family.maxTokens) : null;
  const planned = { plan, cost: { ...cost, ...(sequences && { sequences }) } };
  await withPlannedModel(checkpoint, device, recipe.compute, planned, run, async (model, { loadMs, held }) => {
    let done = 0;
    const total: Timing = { ...noTime, loadMs, tokenizeMs, tokens: work.nTokens * paths.length };
    // Weights that are streamed are read once for all tasks.
    for (const portion of plan.mode === 'resident' ? tasks.map((task) => [task]) : [tasks]) {
      const parts = portion.map((task) => packed.get(task)!);
      const share = scoringOperations(config, bundlesOf(parts), trie) / work.operations;
      const onProgress = progress(run, `${name}: ${portion.length === 1 ? portion[0]!.facts.title : 'all tasks'}`);
      const { result, elapsedMs, compileMs } = await timed(device, () =>
        scoreParts(parts, (bundles, nRequests) =>
          scoreRequests(model, bundles, nRequests, paths, {
            groupBytes: plan.groupBytes,
            signal: run.signal,
            onProgress: (fraction) => onProgress(done + share * fraction),
          }),
        ),
      );
      done += share;
      total.elapsedMs += elapsedMs;
      total.compileMs += compileMs;
      for (const [i, task] of portion.entries()) events.onScored(task, result[i]!);
    }
    if (recipe.generate) events.onGenerated(await checkGeneration(model, tokenizer, events.left(members), run));
    events.onSpent(work, total, held);
  });
}

/** The requests of all tasks in tokens, packed for the model. */
async function packTasks({ checkpoint: { config, name, folder }, tasks, maxTokens }: FamilyOnDevice, run: Run) {
  const began = performance.now();
  const tokenizer = await openTokenizer(folder);
  const packed = new Map<LoadedTask, PackedTask>();
  for (const [i, task] of tasks.entries()) {
    packed.set(task, await packTask(task.items, tokenizer, config, maxTokens));
    progress(run, `${name}: read the tasks`)((i + 1) / tasks.length);
  }
  return { tokenizer, packed, tokenizeMs: performance.now() - began };
}

/** What scoring all tasks on all paths takes. */
async function planFamily(
  { checkpoint: { config }, members }: FamilyOnDevice,
  packed: readonly PackedTask[],
  trie: ReturnType<typeof buildTrie>,
  { compute }: EvaluateRecipe,
) {
  const sum = (of: (task: PackedTask) => number) => packed.reduce((n, task) => n + of(task), 0);
  const work = scoringWork(
    config,
    bundlesOf(packed),
    trie,
    sum(({ nPlainTokens }) => nPlainTokens),
    sum(({ nRequests }) => nRequests),
  );
  const plan = planScoring(config, {
    nTokens: work.nPaddedTokens,
    batchTokens,
    nPaths: members.length,
    memory: compute.memory,
    ...(await limitsOf(compute)),
  });
  return { work, plan, cost: { nSequences: work.nRequests, cacheBytes: 0, operations: work.operations } };
}

const bundlesOf = (parts: readonly PackedTask[]) => parts.flatMap(({ bundles }) => bundles);

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
    scores.map((ofPath) => {
      if (isUserError(ofPath)) return ofPath;
      const { logLikelihoods, isGreedy } = ofPath;
      const [first, end] = [starts[i]!, starts[i]! + part.nRequests];
      return answersOf(part, {
        logLikelihoods: logLikelihoods.subarray(first, end),
        isGreedy: isGreedy.subarray(first, end),
      });
    }),
  );
}

function withRequestsFrom(start: number, { prefix, batches }: PrefixBatches): PrefixBatches {
  if (start === 0) return { prefix, batches };
  const shift = (batch: PackedBatch): PackedBatch => ({
    ...batch,
    scoredTokens: { ...batch.scoredTokens, requests: batch.scoredTokens.requests.map((request) => start + request) },
  });
  return { prefix: prefix.map(shift), batches: batches.map(shift) };
}
