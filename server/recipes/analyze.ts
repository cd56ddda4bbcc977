// analyze: how much does each block matter? Scores from one forward pass, and measured losses where they are asked for.
import { type Analysis, analyze, keepsStates } from '../analysis/analyze';
import { type ImportanceMethodName, importanceMethodNames } from '../analysis/importance';
import { type Measuring, openMeasuring, pathsAtOnce } from '../analysis/measuring';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { UserError } from '../errors';
import type { ModelConfig } from '../model/config';
import type {
  AnalyzeRecipe,
  AnalyzeReport,
  ComputeOptions,
  MeasureOptions,
  RunFacts,
  TokenSource,
  TokenSourceReport,
} from '../protocol';
import type { Model } from '../walk/model';
import { checkMeasure, type MeasuredParts, measureLosses, measuresNothing, measuringRuns } from './measure';
import { summarize } from './modelSummary';
import { limitOf, noTime, progress, type Run, runFacts, timed, withCheckpoint, withDevice, withModel } from './session';
import { answerWhatIf } from './whatIf';
import { windowsFor } from './windows';

export const runAnalyze = (recipe: AnalyzeRecipe, run: Run): Promise<AnalyzeReport> =>
  withCheckpoint(recipe.model, (checkpoint) => {
    const report = ({ analysis, source, facts }: Measured): AnalyzeReport => ({
      kind: 'analyze',
      model: summarize(checkpoint),
      source,
      ...analysis,
      perplexity: Math.exp(analysis.lossNats),
      ...facts,
    });
    const wanted = { ...recipe, methods: methodNames(recipe.methods) };
    return withMeasured(checkpoint, wanted, run, async (measured, measuring) => {
      const done = report(measured);
      if (recipe.stay && measuring)
        await run.stay?.(done, (drop, signal, tell) => answerWhatIf(measuring, drop, signal, tell));
      return done;
    });
  });

export interface Measured {
  readonly analysis: Analysis & MeasuredParts;
  readonly source: TokenSourceReport;
  readonly facts: RunFacts;
}

export interface WantedScores {
  readonly source: TokenSource;
  readonly methods: readonly ImportanceMethodName[];
  readonly measure: MeasureOptions;
  readonly stay: boolean;
  readonly compute: ComputeOptions;
}

/** Loss, scores and measured losses of an open checkpoint, with what it took. */
export const measureImportance = (checkpoint: Checkpoint, wanted: WantedScores, run: Run): Promise<Measured> =>
  withMeasured(checkpoint, wanted, run, async (measured) => measured);

/** The same, with the model and its hidden states still at hand for `body` if losses were measured or it stays. */
function withMeasured<T>(
  checkpoint: Checkpoint,
  { source, methods, measure, stay, compute }: WantedScores,
  run: Run,
  body: (measured: Measured, measuring: Measuring | null) => Promise<T>,
): Promise<T> {
  checkMeasure(checkpoint.config, measure);
  return withDevice(compute, async (device) => {
    const { windows, report, tokenizeMs } = await windowsFor(checkpoint, source);
    const shape = { nWindows: windows.length, tokensPerWindow: windows[0]!.length, keepStates: keepsStates(methods) };
    const measures = stay || !measuresNothing(measure);
    const cacheBytes = measures ? cacheBytesFor(checkpoint.config, windows, measure, limitOf(compute)) : 0;
    const more = measuringRuns(checkpoint.config, measure, methods.length + 3);
    const work = measures ? { ...shape, keepStates: true, nVariants: pathsAtOnce, cacheBytes, more } : shape;
    return withModel(checkpoint, device, compute, work, run, async (model, loadMs) => {
      const measuring = measures ? openMeasuring(model, windows, cacheBytes) : null;
      try {
        const { result, elapsedMs, compileMs } = await timed(device, () =>
          scoresAndLosses(model, windows, methods, measure, measuring, run),
        );
        const timing = { ...noTime, elapsedMs, loadMs, compileMs, tokenizeMs, tokens: model.plan.nTokens };
        const facts = runFacts(compute, device, model.plan.mode, timing);
        return await body({ analysis: result, source: report, facts }, measuring);
      } finally {
        measuring?.dispose();
      }
    });
  });
}

async function scoresAndLosses(
  model: Model,
  windows: readonly Int32Array[],
  methods: readonly ImportanceMethodName[],
  measure: MeasureOptions,
  measuring: Measuring | null,
  run: Run,
): Promise<Analysis & MeasuredParts> {
  const { signal } = run;
  const observer = measuring?.observer;
  const analysis = await analyze(model, windows, methods, { signal, observer, onProgress: progress(run, 'analyze') });
  const nothing = { removals: null, greedy: null, suggestions: null, whatIf: null, work: null };
  if (!measuring || measuresNothing(measure)) return { ...analysis, ...nothing };
  const onPart = (part: Partial<AnalyzeReport>) => run.emit({ kind: 'partial', report: part });
  onPart({ ...analysis, perplexity: Math.exp(analysis.lossNats) });
  const onProgress = (step: string, fraction: number) => run.emit({ kind: 'progress', step, fraction });
  const parts = await measureLosses(measuring, measure, analysis, { signal, onProgress, onPart });
  return { ...analysis, ...parts };
}

/** No more than this of hidden states stays in memory, nor more than a share of what may be used. */
const mostCacheBytes = 1.5e9;
const cacheShare = 0.2;

/** The states of the whole model, and, for a search and for questions, those of a round of candidates. */
function cacheBytesFor(
  { nBlocks, width }: ModelConfig,
  windows: readonly Int32Array[],
  { greedy }: MeasureOptions,
  limitBytes: number,
): number {
  const stateBytes = windows.length * windows[0]!.length * width * 4;
  const states = nBlocks + (greedy ? nBlocks * nBlocks : 4 * nBlocks);
  return Math.floor(Math.min(mostCacheBytes, cacheShare * limitBytes, states * stateBytes));
}

/** `all` is every method that needs forward passes only, `none` leaves the losses. Throws UserError('usage') for a name that is none. */
export function methodNames(names: readonly string[]): ImportanceMethodName[] {
  if (names.includes('all')) return [...importanceMethodNames];
  if (names.length === 1 && names[0] === 'none') return [];
  const unknown = names.find((name) => !importanceMethodNames.includes(name as ImportanceMethodName));
  if (unknown !== undefined)
    throw new UserError(
      'usage',
      `There is no method ${unknown}; choose from all, none, ${importanceMethodNames.join(', ')}.`,
    );
  return [...new Set(names)] as ImportanceMethodName[];
}
