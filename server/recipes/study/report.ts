// What a study found, put together from the reports of its steps. Pure.
import { UserError } from '../../errors';
import { joinEvaluations } from '../../evaluation/joinEvaluations';
import type { StudyRecipe, StudyLoss, StudyReport, StudyVariant } from './recipe';
import type { DropSet } from '../../protocol/recipes';
import type { MeasuredLoss, ModelSummary, RunFacts, Timing } from '../../protocol/reports';
import type { AnalyzeReport } from '../analyze/recipe';
import type { EvaluateReport } from '../evaluate/recipe';
import type { HealReport } from '../heal/recipe';
import type { Report } from '../kinds';
import type { PerplexityReport } from '../perplexity/recipe';
import { formatDropSet, ofBlocks } from '../../shared/dropSets';
import { notFinite, perplexityOf } from '../../shared/finite';
import { meanAndError } from '../../execution/sequenceStatistics';
import type { CarriedStep } from './folder';
import { modelsThatStay, type StudySteps } from './steps';
import type { PlannedVariant } from './variants';

/** @param carried every step of the plan by its id */
export function studyReport(
  recipe: StudyRecipe,
  model: ModelSummary,
  plan: StudySteps,
  carried: ReadonlyMap<string, CarriedStep>,
): StudyReport {
  const reportOf = <R extends Report>(id: string) => (carried.get(id)?.report ?? null) as R | null;
  const analysis = reportOf<AnalyzeReport>('analyze')!;
  const losses = lossesOf(plan, reportOf);
  const { evaluation, order } = evaluationOf(model, plan, reportOf);
  const kept = plan.batches.flatMap((batch) => modelsThatStay(recipe, batch));
  const variants = plan.variants.map((planned): StudyVariant => {
    const { id, label, set, repair, healed, folder, adapter } = planned;
    const healing = healed ? reportOf<HealReport>(`heal-${id}`)! : null;
    return {
      ...{ id, label, methods: [...set.methods], count: set.count, drop: set.drop },
      ...{ without: formatDropSet(set.drop), repair, healed },
      ...sizeWithout(model, set.count),
      loss: losses.get(id) ?? null,
      healing: healing && {
        adapter: adapter!,
        steps: healing.steps.length,
        bestStep: healing.bestStep,
        stoppedBy: healing.stoppedBy,
      },
      folder: folder !== null && kept.includes(folder) ? folder : null,
      model: evaluation ? order.indexOf(id) : null,
    };
  });
  const base: StudyVariant = {
    ...{ id: 'base', label: model.name, methods: [], count: 0, drop: ofBlocks([]), without: '' },
    ...{ repair: 'none', healed: false },
    ...sizeWithout(model, 0),
    loss: losses.get('base') ?? null,
    ...{ healing: null, folder: model.folder, model: evaluation ? 0 : null },
  };
  const entries = Object.entries(analysis.methods);
  return {
    kind: 'study',
    model,
    out: recipe.out,
    recipe,
    methods: Object.fromEntries(entries.map(([name, { unit, of, paper }]) => [name, { unit, of, paper }])),
    calibration: analysis.source,
    perplexity: reportOf<AnalyzeReport>('losses')?.source ?? null,
    variants: [base, ...variants],
    evaluation,
    steps: plan.steps.map(({ id, title, recipe: { kind } }) => {
      const { elapsedMs, doneBefore } = carried.get(id)!;
      return { id, title, kind, elapsedMs, doneBefore };
    }),
    ...factsOf(plan.steps.map(({ id }) => carried.get(id)!.report)),
  };
}

const sizeWithout = ({ nParameters, nParametersPerBlock, sizeBytes }: ModelSummary, count: number) => {
  const left = nParameters - count * nParametersPerBlock;
  return { nParameters: left, sizeBytes: Math.round((sizeBytes * left) / nParameters) };
};

type ReportOf = <R extends Report>(id: string) => R | null;

const isWritten = ({ folder }: PlannedVariant) => folder !== null;

/** By id of the variant. What is left out was measured with the base, token by token; what was written, sequence by sequence. */
function lossesOf({ variants, batches }: StudySteps, reportOf: ReportOf): Map<string, StudyLoss> {
  const losses = new Map<string, StudyLoss>();
  const whole = reportOf<AnalyzeReport>('losses');
  if (!whole) return losses;
  const { lossNats, lossStandardError: standardError, perplexity } = whole;
  losses.set('base', { lossNats, standardError, perplexity, costNats: 0, costStandardError: 0 });
  const leftOut = variants.filter((variant) => !isWritten(variant));
  for (const [i, { id }] of leftOut.entries()) {
    const { drop, ...loss } = whole.whatIf![i]!;
    losses.set(id, studyLoss(drop, loss));
  }
  for (const [k, batch] of batches.entries()) {
    const { models } = reportOf<PerplexityReport>(`losses-${k + 1}`)!;
    for (const [i, { id }] of batch.variants.entries()) {
      const measured = models[i]!;
      const costs = measured.lossPerSequence.map((nats, w) => nats - whole.lossPerSequence[w]!);
      const { mean: costNats, standardError: costStandardError } = meanAndError(costs);
      const { lossNats: nats, lossStandardError: error, perplexity: ofIt } = measured;
      losses.set(id, { lossNats: nats, standardError: error, perplexity: ofIt, costNats, costStandardError });
    }
  }
  return losses;
}

/** Throws UserError('notFinite'): nothing can be set beside a loss that is no number. */
function studyLoss(drop: DropSet, loss: MeasuredLoss): StudyLoss {
  if (loss.lossNats !== notFinite) return { ...loss, perplexity: perplexityOf(loss.lossNats) };
  throw new UserError(
    'notFinite',
    `The loss without ${formatDropSet(drop)} is not finite, so that the study has nothing to compare; leave out the method or count that drops it.`,
  );
}

/** All evaluations as one, and the ids of its models in their order. */
function evaluationOf(
  model: ModelSummary,
  { variants, batches }: StudySteps,
  reportOf: ReportOf,
): { evaluation: EvaluateReport | null; order: string[] } {
  const whole = reportOf<EvaluateReport>('evaluate');
  if (!whole) return { evaluation: null, order: [] };
  const parts = [
    { report: whole, variants: variants.filter((variant) => !isWritten(variant)) },
    ...batches.map((batch, k) => ({
      report: reportOf<EvaluateReport>(`evaluate-${k + 1}`)!,
      variants: batch.variants,
    })),
  ];
  const labelled = parts.map((part) => ({
    report: part.report,
    labels: [model.name, ...part.variants.map(({ label }) => label)],
  }));
  const order = ['base', ...parts.flatMap((part) => part.variants.map(({ id }) => id))];
  return { evaluation: joinEvaluations(labelled), order };
}

/** Times of all steps added up, and the most memory that any of them took. */
function factsOf(reports: readonly Report[]): RunFacts {
  const facts = reports.flatMap((report) => ('timing' in report ? [report as RunFacts] : []));
  const total: Timing = { elapsedMs: 0, loadMs: 0, compileMs: 0, tokenizeMs: 0, writeMs: 0, tokens: 0 };
  for (const { timing } of facts) for (const key of Object.keys(total) as (keyof Timing)[]) total[key] += timing[key];
  const { device, threads, memory, versions } = facts[0]!;
  const peakMemoryBytes = Math.max(...facts.map((each) => each.peakMemoryBytes));
  return { timing: total, transfers: null, peakMemoryBytes, device, threads, memory, versions };
}
