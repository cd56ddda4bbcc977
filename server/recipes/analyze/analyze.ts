// analyze: how much does each block matter? Scores from one forward pass, and measured losses where they are asked for.
import { withStoredCheckpoint } from '../../execution/storedWeights';
import { type Analysis, analyze } from '../../analysis/analyze';
import type { ImportanceMethodName } from '../../shared/methods';
import { type Measuring, openMeasuring } from '../../analysis/measuring';
import type { Checkpoint } from '../../checkpoint/checkpoint';
import type { AnalyzeRecipe, MeasureOptions, AnalyzeReport } from './recipe';
import type { ComputeOptions, TokenSource, TokenSourceReport } from '../../protocol/recipes';
import type { RunFacts } from '../../protocol/reports';
import { perplexityOf } from '../../shared/finite';
import { limitsOf } from '../../execution/memoryLimits';
import type { Model } from '../../execution/model';
import { checkMeasure, type MeasuredParts, measureLosses, measuresNothing } from './measure';
import { summarize } from '../modelSummary';
import {
  noTime,
  progress,
  type Run,
  runFacts,
  timed,
  warnOfDifferences,
  withDevice,
  withModel,
} from '../recipeContext';
import { measureSpeed } from './speed';
import { answerWhatIf } from './whatIf';
import { sequencesFor } from '../sequences';
import { analysisWork, methodNames, type WantedScores } from '../work';

export const runAnalyze = (recipe: AnalyzeRecipe, run: Run): Promise<AnalyzeReport> =>
  withStoredCheckpoint(recipe.model, recipe.compute.weights, (checkpoint) => {
    warnOfDifferences(checkpoint, run);
    const report = ({ analysis, source, facts }: Measured): AnalyzeReport => ({
      kind: 'analyze',
      model: summarize(checkpoint),
      source,
      ...analysis,
      perplexity: perplexityOf(analysis.lossNats),
      ...facts,
    });
    const wanted = { ...recipe, methods: methodNames(recipe.methods) };
    return withMeasured(checkpoint, wanted, run, async (measured, measuring) => {
      const done = report(measured);
      if (!recipe.stay || !measuring) return done;
      await checkpoint.refuseChanged();
      await run.stay?.(done, {
        async loss(drop, signal, onEstimate) {
          await checkpoint.refuseChanged();
          return answerWhatIf(measuring, drop, signal, onEstimate);
        },
        speed: (drop, signal) => measureSpeed(measuring, drop, signal),
      });
      return done;
    });
  });

export interface Measured {
  readonly analysis: Analysis & MeasuredParts;
  readonly source: TokenSourceReport;
  readonly facts: RunFacts;
}

export interface WantedAnalysis extends WantedScores {
  readonly source: TokenSource;
  readonly compute: ComputeOptions;
}

/** Loss, scores and measured losses of an open checkpoint, with what it took. */
export const measureImportance = (checkpoint: Checkpoint, wanted: WantedAnalysis, run: Run): Promise<Measured> =>
  withMeasured(checkpoint, wanted, run, async (measured) => measured);

/** The same, with the model and its hidden states still at hand for `body` if losses were measured or it stays. */
function withMeasured<T>(
  checkpoint: Checkpoint,
  { source, methods, measure, stay, compute }: WantedAnalysis,
  run: Run,
  body: (measured: Measured, measuring: Measuring | null) => Promise<T>,
): Promise<T> {
  checkMeasure(checkpoint.config, measure);
  return withDevice(compute, async (device) => {
    const { sequences, report, tokenizeMs } = await sequencesFor(checkpoint, source);
    const shape = { nSequences: sequences.length, tokensPerSequence: sequences[0]!.length };
    const limits = await limitsOf(compute);
    const work = analysisWork(checkpoint.config, shape, { methods, measure, stay }, limits);
    return withModel(checkpoint, device, compute, { ...work, sequences }, run, async (model, { loadMs, held }) => {
      using measuring = work.measures ? openMeasuring(model, sequences, work.cacheBytes) : null;
      const { result, elapsedMs, compileMs } = await timed(device, () =>
        scoresAndLosses(model, sequences, methods, measure, measuring, run),
      );
      const timing = { ...noTime, elapsedMs, loadMs, compileMs, tokenizeMs, tokens: model.plan.nTokens };
      const facts = runFacts(compute, device, held, timing);
      return await body({ analysis: result, source: report, facts }, measuring);
    });
  });
}

async function scoresAndLosses(
  model: Model,
  sequences: readonly Int32Array[],
  methods: readonly ImportanceMethodName[],
  measure: MeasureOptions,
  measuring: Measuring | null,
  run: Run,
): Promise<Analysis & MeasuredParts> {
  const { signal } = run;
  const observer = measuring?.observer;
  const analysis = await analyze(model, sequences, methods, { signal, observer, onProgress: progress(run, 'analyze') });
  const nothing = { removals: null, greedy: null, suggestions: null, whatIf: null, work: null };
  if (!measuring || measuresNothing(measure)) return { ...analysis, ...nothing };
  const onPart = (part: Partial<AnalyzeReport>) => run.emit({ kind: 'partial', report: part });
  onPart({ ...analysis, perplexity: perplexityOf(analysis.lossNats) });
  const onProgress = (step: string, fraction: number) => run.emit({ kind: 'progress', step, fraction });
  const parts = await measureLosses(measuring, measure, analysis, { signal, onProgress, onPart });
  return { ...analysis, ...parts };
}
