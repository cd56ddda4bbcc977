// pipeline: the whole way in one recipe, from the hub to a model that is measured and published. Each step is the recipe of its own
// kind, but for where it writes (a place in `out`) and how it is computed (as the pipeline says). A path that is `$id` is
// what the step of that id made. Steps whose reports are kept are not done again, so that it goes on where it was left.
import * as z from 'zod';
import { compute, path } from '../../protocol/recipes';
import { type AnalyzeReport, analyzeKind } from '../analyze/recipe';
import { type EvaluateReport, evaluateKind } from '../evaluate/recipe';
import { type ExportReport, exportKind } from '../export/recipe';
import { type HealReport, healKind } from '../heal/recipe';
import { type MergeReport, mergeKind } from '../merge/recipe';
import { type PerplexityReport, perplexityKind } from '../perplexity/recipe';
import { type ProveReport, proveKind } from '../prove/recipe';
import { type PruneReport, pruneKind } from '../prune/recipe';
import { type PublishReport, publishKind } from '../publish/recipe';
import { type PullReport, pullKind } from '../pull/recipe';
import { type RecipeKind, typeOf } from '../recipeKind';

const idPattern = '[a-z][a-z0-9-]{0,39}';
const id = z.string().regex(new RegExp(`^${idPattern}$`), 'an id is made of small letters, digits and -');

/** What is the same in all steps, or nobody's business but the step's. */
const own = ['out', 'compute', 'samples', 'mergekit', 'resume', 'stay'] as const;
type Own = (typeof own)[number];

const step = <Shape extends z.ZodRawShape>({ shape }: z.ZodObject<Shape>) => {
  const rest = Object.entries(shape).filter(([field]) => !own.some((other) => other === field));
  return z.strictObject({ id, ...(Object.fromEntries(rest) as Omit<Shape, Own>) });
};

const prune = z.strictObject({
  ...step(pruneKind.schema).shape,
  /** The step whose analysis the rule chooses by, without measuring again; absent: the rule measures for itself. */
  scores: id.optional(),
});

const anyStep = z.discriminatedUnion('kind', [
  step(pullKind.schema),
  step(analyzeKind.schema),
  prune,
  step(healKind.schema),
  step(mergeKind.schema),
  step(evaluateKind.schema),
  step(perplexityKind.schema),
  step(exportKind.schema),
  step(publishKind.schema),
  step(proveKind.schema),
]);
export type PipelineStepRecipe = z.output<typeof anyStep>;
export type PipelineStepKind = PipelineStepRecipe['kind'];

const schema = z.strictObject({
  kind: z.literal('pipeline'),
  /** Its folder: reports of steps in `reports/`, what they made in `made/`, each under the step's id. */
  out: path('outputFolder'),
  steps: z.array(anyStep).min(1, 'it has no step').max(100),
  compute,
});
export type PipelineRecipe = z.output<typeof schema>;

const namedPattern = new RegExp(`^\\$(${idPattern})$`);
/** The step that a path stands for; null: it is a path. */
export const stepNamed = (text: string): string | null => namedPattern.exec(text)?.[1] ?? null;

export type PipelineStepReport =
  | PullReport
  | AnalyzeReport
  | PruneReport
  | HealReport
  | MergeReport
  | EvaluateReport
  | PerplexityReport
  | ProveReport
  | ExportReport
  | PublishReport;

export interface PipelineReport {
  kind: 'pipeline';
  out: string;
  /** What was asked for, in full. */
  recipe: PipelineRecipe;
  steps: PipelineStep[];
}

export interface PipelineStep {
  id: string;
  kind: PipelineStepKind;
  /** When it was carried out, be it now or before. */
  elapsedMs: number;
  /** It was there when this run of the pipeline began. */
  doneBefore: boolean;
  /** The folder or file that it made, or found; null: it made none. */
  made: string | null;
  report: PipelineStepReport;
}

export const pipelineKind = {
  schema,
  title: 'Pipeline',
  resumable: true,
  inFiles: true,
  planned: 'nothing',
  report: typeOf<PipelineReport>(),
  command: null,
} as const satisfies RecipeKind;
