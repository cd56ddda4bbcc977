// The steps of a study, each a recipe of its own, so that whatever a study does can be done by hand. Pure.
import { type AnalyzeRecipe, type MeasureOptions, noMeasure } from '../analyze/recipe';
import type { RecipeOf } from '../kinds';
import type { StepKind, StudyRecipe } from './recipe';
import type { ModelSummary } from '../../protocol/reports';
import { ofBlocks } from '../../shared/dropSets';
import { isChoosingMethod } from '../../shared/methods';
import { type ChosenSet, type PlannedVariant, prunedFolder, variantsOf } from './variants';

export type StepRecipe = RecipeOf<StepKind>;

export interface Step {
  readonly id: string;
  readonly title: string;
  readonly recipe: StepRecipe;
  /** Steps whose results it reads from disk. */
  readonly after: readonly string[];
  /** The batch of written models that it belongs to; null: none. */
  readonly batch: number | null;
}

export interface StudySteps {
  readonly variants: readonly PlannedVariant[];
  readonly steps: readonly Step[];
  readonly batches: readonly Batch[];
}

/** Models that are written, measured and removed together. */
export interface Batch {
  readonly variants: readonly PlannedVariant[];
  /** Of the variants, and of pruned models that are only healed. */
  readonly folders: readonly string[];
}

/** Which of its folders stay once a batch is measured. */
export function modelsThatStay({ keepModels }: StudyRecipe, { variants, folders }: Batch): readonly string[] {
  const healed = variants.filter((variant) => variant.healed).map(({ folder }) => folder!);
  return { none: [], healed, all: folders }[keepModels];
}

type Size = Pick<ModelSummary, 'nBlocks' | 'nParameters' | 'nParametersPerBlock' | 'sizeBytes'>;

/** All steps in their order, the analysis first. */
export function planStudy(recipe: StudyRecipe, model: Size, sets: readonly ChosenSet[]): StudySteps {
  const variants = sets.flatMap((set) => variantsOf(recipe, set));
  const batches = batchesOf(recipe, model, variants.filter(isWritten));
  const steps = [
    analysisStep(recipe),
    ...wholeSteps(recipe, variants),
    ...batches.flatMap((batch, i) => batchSteps(recipe, batch.variants, i)),
  ];
  return { variants, steps, batches };
}

const isWritten = ({ folder }: PlannedVariant) => folder !== null;

/** One analysis for all methods and counts: a search to the largest count passes the smaller ones on its way. */
export function analysisStep({
  model,
  source,
  methods,
  counts,
  protected: kept,
  compute,
}: StudyRecipe): Step & { recipe: AnalyzeRecipe } {
  const scoring = methods.filter((name) => !isChoosingMethod(name));
  const measure: MeasureOptions = {
    ...noMeasure,
    removals: methods.includes('removal') ? 'blocks' : 'none',
    greedy: methods.includes('greedy')
      ? { count: Math.max(...counts), of: 'blocks', racingConfidence: null, protected: kept }
      : null,
  };
  const names = scoring.length > 0 ? scoring : ['none'];
  const recipe: AnalyzeRecipe = { kind: 'analyze', model, source, methods: names, measure, stay: false, compute };
  return { id: 'analyze', title: `score blocks by ${methods.join(', ')}`, recipe, after: [], batch: null };
}

/** What is measured on the original alone, leaving blocks out of its passes. */
function wholeSteps(recipe: StudyRecipe, variants: readonly PlannedVariant[]): Step[] {
  const { model, perplexity, evaluate, compute } = recipe;
  const drops = variants.filter((variant) => !isWritten(variant)).map(({ set }) => set.drop);
  const common = { after: [], batch: null };
  const steps: Step[] = [];
  if (perplexity) {
    const measure = { ...noMeasure, whatIf: drops };
    const losses: StepRecipe = {
      kind: 'analyze',
      model,
      source: perplexity,
      methods: ['none'],
      measure,
      stay: false,
      compute,
    };
    steps.push({ id: 'losses', title: `losses of ${drops.length + 1} models`, recipe: losses, ...common });
  }
  if (evaluate) {
    const recipeOfIt: StepRecipe = {
      kind: 'evaluate',
      ...evaluate,
      models: [model],
      drops,
      ...evaluationRest,
      compute,
    };
    steps.push({ id: 'evaluate', title: `tasks of ${drops.length + 1} models`, recipe: recipeOfIt, ...common });
  }
  return steps;
}

const evaluationRest = { generate: false, samples: null };

/** Writes the models of a batch, then measures them together; the original is evaluated beside them, item by item. */
function batchSteps(recipe: StudyRecipe, variants: readonly PlannedVariant[], batch: number): Step[] {
  const { model, evaluate, perplexity, compute } = recipe;
  const made = variants.flatMap((variant) => writingSteps(recipe, variant, batch));
  // A pruned model that is measured and healed is written once.
  const writing = made.filter(({ id }, i) => made.findIndex((other) => other.id === id) === i);
  const folders = variants.map(({ folder }) => folder!);
  const common = { after: writing.map(({ id }) => id), batch };
  const measuring: Step[] = [];
  if (perplexity) {
    const ofThem: StepRecipe = { kind: 'perplexity', models: folders, drop: ofBlocks([]), source: perplexity, compute };
    measuring.push({
      id: `losses-${batch + 1}`,
      title: `losses of ${folders.length} written models`,
      recipe: ofThem,
      ...common,
    });
  }
  if (evaluate) {
    const ofThem: StepRecipe = {
      kind: 'evaluate',
      ...evaluate,
      models: [model, ...folders],
      drops: [],
      ...evaluationRest,
      compute,
    };
    measuring.push({
      id: `evaluate-${batch + 1}`,
      title: `tasks of ${folders.length} written models`,
      recipe: ofThem,
      ...common,
    });
  }
  return [...writing, ...measuring];
}

function writingSteps(recipe: StudyRecipe, variant: PlannedVariant, batch: number): Step[] {
  const { model, source, dtype, healing, compute } = recipe;
  const { set, repair, id, label } = variant;
  const pruned = prunedFolder(recipe, variant);
  const pruneId = `prune-${set.id}${repair === 'none' ? '' : `-${repair}`}`;
  const prune: StepRecipe = {
    kind: 'prune',
    model,
    rule: { kind: 'chosen', ...set.drop },
    source: repair === 'none' ? null : source,
    repair: repair === 'none' ? null : { kind: repair, ridge: 'auto', heldOutSequences: null },
    out: pruned,
    // What is only left out loses nothing in the source's dtype.
    dtype: repair === 'none' ? null : dtype,
    maxShardBytes: null,
    mergekit: null,
    compute,
  };
  const repaired = repair === 'none' ? '' : ', repaired';
  const pruning = {
    id: pruneId,
    title: `write ${set.methods.join(', ')} ${set.count}${repaired}`,
    recipe: prune,
    after: [],
    batch,
  };
  if (!variant.healed) return [pruning];
  const { data, adapter, objective, optimizer, loop } = healing!;
  const how = { data, adapter, objective, optimizer, loop };
  const heal: StepRecipe = {
    kind: 'heal',
    model: pruned,
    ...how,
    dense: model,
    resume: false,
    out: variant.adapter!,
    compute,
  };
  const merge: StepRecipe = {
    kind: 'merge',
    model: pruned,
    adapter: variant.adapter!,
    out: variant.folder!,
    dtype,
    maxShardBytes: null,
    compute,
  };
  return [
    pruning,
    { id: `heal-${id}`, title: `heal ${label}`, recipe: heal, after: [pruneId], batch },
    { id: `merge-${id}`, title: `merge ${label}`, recipe: merge, after: [pruneId, `heal-${id}`], batch },
  ];
}

/** Families of a set and a repair, as many together as fit. */
function batchesOf(recipe: StudyRecipe, model: Size, written: readonly PlannedVariant[]): Batch[] {
  const batches: { variants: PlannedVariant[]; folders: string[]; bytes: number }[] = [];
  for (const variants of familiesOf(recipe, written)) {
    const folders = [...new Set([prunedFolder(recipe, variants[0]!), ...variants.map(({ folder }) => folder!)])];
    const { count } = variants[0]!.set;
    const nParameters = model.nParameters - count * model.nParametersPerBlock;
    const sourceBytes = model.sizeBytes / model.nParameters;
    const bytes = folders.length * nParameters * (recipe.dtype === 'f32' ? 4 : recipe.dtype ? 2 : sourceBytes);
    const last = batches.at(-1);
    if (last && last.bytes + bytes <= recipe.batchBytes) {
      last.variants.push(...variants);
      last.folders.push(...folders);
      last.bytes += bytes;
    } else batches.push({ variants: [...variants], folders: [...folders], bytes });
  }
  return batches;
}

/** Variants that begin with the same pruned model; they stand side by side. */
function familiesOf(recipe: StudyRecipe, written: readonly PlannedVariant[]): PlannedVariant[][] {
  const families: PlannedVariant[][] = [];
  for (const variant of written) {
    const last = families.at(-1);
    if (last && prunedFolder(recipe, last[0]!) === prunedFolder(recipe, variant)) last.push(variant);
    else families.push([variant]);
  }
  return families;
}
