// What carries the steps of a pipeline out: a row a kind.
import type { RecipeOf, ReportOf } from '../kinds';
import { runAnalyze } from '../analyze/analyze';
import { runEvaluate } from '../evaluate/evaluate';
import { runExport } from '../export/export';
import { runHeal } from '../heal/heal';
import { runMerge } from '../merge/merge';
import { runPerplexity } from '../perplexity/perplexity';
import { runProve } from '../prove/prove';
import { runPrune } from '../prune/prune';
import { runPublish } from '../publish/publish';
import { runPull } from '../pull/pull';
import type { Run } from '../recipeContext';
import type { PipelineStepKind, PipelineStepReport } from './recipe';

export type StepRunners = {
  readonly [K in PipelineStepKind]: (recipe: RecipeOf<K>, run: Run) => Promise<ReportOf<K>>;
};

export const stepRunners: StepRunners = {
  pull: runPull,
  analyze: runAnalyze,
  prune: runPrune,
  heal: runHeal,
  merge: runMerge,
  evaluate: runEvaluate,
  perplexity: runPerplexity,
  prove: runProve,
  export: runExport,
  publish: runPublish,
};

/** What a step found that nothing may follow on; null: the next one may. */
export function whyItEnds(report: PipelineStepReport): string | null {
  if (report.kind !== 'prove' || report.passed) return null;
  const failed = report.checks.filter(({ outcome }) => outcome === 'failed').map(({ sentence }) => sentence);
  return `what was made does not hold. ${failed.join(' ')}`;
}
