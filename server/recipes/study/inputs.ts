// What a study needs to know before it starts, read and checked so that a study that starts can finish: the model, the
// sequences of its texts, the sizes that an estimate is made from.
import { stat } from 'node:fs/promises';
import { type Checkpoint, withCheckpoint } from '../../checkpoint/checkpoint';
import type { SourceIdentity } from '../../checkpoint/sourceIdentity';
import { readTrainingData } from '../../data/trainingData';
import { UserError } from '../../errors';
import { loadTask, resolveTasks } from '../../evaluation/tasks';
import type { ModelConfig } from '../../model/config';
import type { AskedStudy, StudyEvaluation, StudyHealing, StudyRecipe } from './recipe';
import { checkStudy } from './check';
import { type CountedStudy, countedStudy } from './counts';
import type { TokenSource } from '../../protocol/recipes';
import type { ModelSummary } from '../../protocol/reports';
import { openTokenizer } from '../../tokenizer/tokenizer';
import { summarize } from '../modelSummary';
import type { StudyShapes } from './estimate';
import { hashFiles, sha256 } from '../stepFolder';
import type { StudyInputs, TaskHashes } from './folder';
import { sequencesFor } from '../sequences';
import { refuseUnfoldable } from '../../pruning/repair';
import { nullIfMissing } from '../../shared/systemErrors';

export interface ReadyStudy extends CountedStudy {
  readonly config: ModelConfig;
  readonly model: ModelSummary;
  readonly shapes: StudyShapes;
  readonly inputs: StudyInputs;
  /** What the data of each task contain; null without an evaluation. */
  readonly tasksSha256: TaskHashes | null;
  /** The model, which stays the same from step to step. */
  readonly source: SourceIdentity;
}

/** Throws UserError with a sentence for whatever could not be carried out. */
export const prepareStudy = (asked: AskedStudy): Promise<ReadyStudy> =>
  withCheckpoint(asked.model, async (checkpoint) => {
    const { config } = checkpoint;
    const model = summarize(checkpoint);
    const { recipe, budgets } = countedStudy(asked, model);
    checkStudy(recipe, config.nBlocks);
    if (recipe.repairs.some((repair) => repair !== 'none')) refuseUnfoldable(config);
    const tasksSha256 = recipe.evaluate && (await checkTasks(recipe.evaluate));
    const shapes = await shapesOf(checkpoint, recipe);
    const filesSha256 = await hashFiles(filesOf(recipe));
    return {
      recipe,
      budgets,
      config,
      model,
      shapes,
      inputs: { modelSha256: modelSha256(checkpoint), filesSha256 },
      tasksSha256,
      source: checkpoint,
    };
  });

/** Of what its headers say. */
export function modelSha256({ config, weights: all, sizeBytes }: Checkpoint): string {
  const weights = [...all].map(([name, { shape, dtype }]) => [name, shape, dtype]);
  return sha256(JSON.stringify({ config, weights, sizeBytes }));
}

/** Reads every task as its evaluation will, and keeps no more than hashes. */
export async function checkTasks({
  tasks,
  data,
  items,
  fewShot,
}: Pick<StudyEvaluation, 'tasks' | 'data' | 'items' | 'fewShot'>): Promise<TaskHashes> {
  const isFolder = data === null || (await stat(data).catch(nullIfMissing))?.isDirectory();
  if (!isFolder)
    throw new UserError('notFound', `There is no folder ${data}; give the one with the tasks' data as evaluate.data.`);
  const hashes: Record<string, string> = {};
  for (const task of resolveTasks(tasks).tasks) {
    const { facts } = await loadTask(task, { tasks, data, items, fewShot });
    hashes[task.name] = sha256(facts.files.map((file) => file.sha256).join());
  }
  return hashes;
}

async function shapesOf(checkpoint: Checkpoint, recipe: StudyRecipe): Promise<StudyShapes> {
  const shapeOf = async (source: TokenSource) => {
    const { sequences } = await sequencesFor(checkpoint, source);
    return { nSequences: sequences.length, tokensPerSequence: sequences[0]!.length };
  };
  const { healing, perplexity } = recipe;
  return {
    source: await shapeOf(recipe.source),
    perplexity: perplexity && (await shapeOf(perplexity)),
    heldOut: healing && (await heldOutOf(healing)),
  };

  async function heldOutOf({ data, loop }: StudyHealing) {
    const { contextLength, vocabularySize } = checkpoint.config;
    const limits = { contextLength, vocabularySize };
    const { heldOut } = await readTrainingData(data, await openTokenizer(checkpoint.folder), limits);
    return loop.heldOut ? shapeOf(loop.heldOut) : { nSequences: heldOut.length, tokensPerSequence: data.tokens };
  }
}

function filesOf({ source, perplexity, healing }: StudyRecipe): string[] {
  const ofSource = (text: TokenSource | null) => (text === null ? [] : text.kind === 'ids' ? [text.file] : text.files);
  const trained = healing ? [...healing.data.files, ...ofSource(healing.loop.heldOut)] : [];
  return [...ofSource(source), ...ofSource(perplexity), ...trained];
}
