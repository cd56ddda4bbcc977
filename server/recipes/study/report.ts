// What a study found, put together from the reports of its steps. Pure.
import { basename } from 'node:path';
import { joinEvaluations } from '../../evaluation/joinEvaluations';
import type { StudyRecipe, StudyLoss, StudyReport, StudyVariant } from './recipe';
import type { ModelSummary, RunFacts, Timing } from '../../protocol/reports';
import type { AnalyzeReport } from '../analyze/recipe';
import type { EvaluateReport } from '../evaluate/recipe';
import type { HealReport } from '../heal/recipe';
import type { Report } from '../kinds';
import type { PerplexityReport } from '../perplexity/recipe';
import { formatDropSet, ofBlocks } from '../../shared/dropSets';
import { notFinite, perplexityOf } from '../../shared/finite';
import { widthFacts } from '../../shared/weightWidths';
import { meanAndError } from '../../execution/sequenceStatistics';
import type { CarriedStep } from './folder';
import { lostInWriting } from './lost';
import { modelsThatStay, type StudySteps } from './steps';
import type { PlannedVariant } from './variants';

/** @param carried every step of the plan by its id */
export function studyReport(
  recipe: StudyRecipe,
  model: ModelSummary,
  plan: StudySteps,
  carried: ReadonlyMap<string, CarriedStep>,
): StudyReport {
  const reportOf = <R extends Report>(id: string) => {
    const report = carried.get(id)?.report;
    return report && report.kind !== 'lost' ? (report as R) : null;
  };
  const inWriting = new Map(plan.variants.map((variant) => [variant.id, lostInWriting(variant, plan, carried)]));
  const written = { ...plan, isWritten: ({ id }: PlannedVariant) => inWriting.get(id) === null };
  const analysis = reportOf<AnalyzeReport>('analyze')!;
  const { losses, lost } = lossesOf(written, reportOf);
  const { evaluation, order } = evaluationOf(model, written, reportOf);
  const kept = plan.batches.flatMap((batch) => modelsThatStay(recipe, batch));
  const variants = plan.variants.map((planned): StudyVariant => {
    const { id, label, set, repair, healed, folder, adapter } = planned;
    const healing = healed ? reportOf<HealReport>(`heal-${id}`) : null;
    const sentence = inWriting.get(id) ?? lost.get(id);
    const place = evaluation ? order.indexOf(id) : -1;
    return {
      ...{ id, label, methods: [...set.methods], count: set.count, drop: set.drop },
      ...{ without: formatDropSet(set.drop), repair, healed },
      ...sizeWithout(model, set.count),
      loss: losses.get(id) ?? null,
      ...(sentence ? { notFinite: sentence } : {}),
      healing: healing && {
        adapter: adapter!,
        steps: healing.steps.length,
        bestStep: healing.bestStep,
        stoppedBy: healing.stoppedBy,
      },
      folder: folder !== null && kept.includes(folder) && inWriting.get(id) === null ? folder : null,
      model: place >= 0 ? place : null,
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
    ...factsOf(plan.steps.flatMap(({ id }) => reportOf(id) ?? [])),
  };
}

const sizeWithout = ({ nParameters, nParametersPerBlock, sizeBytes }: ModelSummary, count: number) => {
  const left = nParameters - count * nParametersPerBlock;
  return { nParameters: left, sizeBytes: Math.round((sizeBytes * left) / nParameters) };
};

type ReportOf = <R extends Report>(id: string) => R | null;

const isLeftOut = ({ folder }: PlannedVariant) => folder === null;

/** A plan of which some variants came to nothing. */
type Written = StudySteps & { isWritten(variant: PlannedVariant): boolean };

/** By id of the variant; `lost`: why it has none. What is left out was measured with the original, token by token; what was written, sequence by sequence. */
function lossesOf({ variants, batches, isWritten }: Written, reportOf: ReportOf) {
  const losses = new Map<string, StudyLoss>();
  const lost = new Map<string, string>();
  const whole = reportOf<AnalyzeReport>('losses');
  if (!whole) return { losses, lost };
  const { lossNats, lossStandardError: standardError, perplexity } = whole;
  losses.set('base', { lossNats, standardError, perplexity, costNats: 0, costStandardError: 0 });
  for (const [i, { id }] of variants.filter(isLeftOut).entries()) {
    const { drop, ...loss } = whole.whatIf![i]!;
    if (loss.lossNats === notFinite) lost.set(id, `The loss without ${formatDropSet(drop)} is not finite.`);
    else losses.set(id, { ...loss, perplexity: perplexityOf(loss.lossNats) });
  }
  for (const [k, batch] of batches.entries()) {
    const { models, notFinite: lostOnes = [] } = reportOf<PerplexityReport>(`losses-${k + 1}`) ?? { models: [] };
    const measuredOnes = batch.variants.filter(isWritten).filter(({ id, folder }) => {
      const found = lostOnes.find((it) => basename(it.folder) === basename(folder!));
      if (found) lost.set(id, found.sentence);
      return !found;
    });
    for (const [i, { id }] of measuredOnes.entries()) {
      const measured = models[i];
      if (!measured) continue;
      const costs = measured.lossPerSequence.map((nats, w) => nats - whole.lossPerSequence[w]!);
      const { mean: costNats, standardError: costStandardError } = meanAndError(costs);
      const { lossNats: nats, lossStandardError: error, perplexity: ofIt } = measured;
      losses.set(id, { lossNats: nats, standardError: error, perplexity: ofIt, costNats, costStandardError });
    }
  }
  return { losses, lost };
}

/** All evaluations as one, and the ids of its models in their order. */
function evaluationOf(
  model: ModelSummary,
  { variants, batches, isWritten }: Written,
  reportOf: ReportOf,
): { evaluation: EvaluateReport | null; order: string[] } {
  const whole = reportOf<EvaluateReport>('evaluate');
  if (!whole) return { evaluation: null, order: [] };
  const parts = [
    { report: whole, variants: variants.filter(isLeftOut) },
    ...batches.flatMap((batch, k) => {
      const report = reportOf<EvaluateReport>(`evaluate-${k + 1}`);
      return report ? [{ report, variants: batch.variants.filter(isWritten) }] : [];
    }),
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
  // The first step is the analysis, whose model is the original.
  const { device, threads, memory, versions } = facts[0]!;
  const peakMemoryBytes = Math.max(...facts.map((each) => each.peakMemoryBytes));
  return {
    timing: total,
    transfers: null,
    peakMemoryBytes,
    device,
    threads,
    memory,
    ...widthFacts(facts[0]!),
    versions,
  };
}
