// analyze: how much does each block matter?
import { type Analysis, analyze, keepsStates } from '../analysis/analyze';
import { type ImportanceMethodName, importanceMethodNames } from '../analysis/importance';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { UserError } from '../errors';
import type {
  AnalyzeRecipe,
  AnalyzeReport,
  ComputeOptions,
  RunFacts,
  TokenSource,
  TokenSourceReport,
} from '../protocol';
import { summarize } from './modelSummary';
import { noTime, progress, type Run, runFacts, timed, withCheckpoint, withDevice, withModel } from './session';
import { windowsFor } from './windows';

export const runAnalyze = (recipe: AnalyzeRecipe, run: Run): Promise<AnalyzeReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => {
    const { analysis, source, facts } = await measureImportance(
      checkpoint,
      { ...recipe, methods: methodNames(recipe.methods) },
      run,
    );
    return {
      kind: 'analyze',
      model: summarize(checkpoint),
      source,
      ...analysis,
      removals: null,
      greedy: null,
      suggestions: null,
      whatIf: null,
      work: null,
      perplexity: Math.exp(analysis.lossNats),
      ...facts,
    };
  });

export interface Measured {
  readonly analysis: Analysis;
  readonly source: TokenSourceReport;
  readonly facts: RunFacts;
}

/** Loss and scores of an open checkpoint, with what it took. */
export const measureImportance = (
  checkpoint: Checkpoint,
  {
    source,
    methods,
    compute,
  }: { source: TokenSource; methods: readonly ImportanceMethodName[]; compute: ComputeOptions },
  run: Run,
): Promise<Measured> =>
  withDevice(compute, async (device) => {
    const { windows, report, tokenizeMs } = await windowsFor(checkpoint, source);
    const work = { nWindows: windows.length, tokensPerWindow: windows[0]!.length, keepStates: keepsStates(methods) };
    return withModel(checkpoint, device, compute, work, run, async (model, loadMs) => {
      const options = { signal: run.signal, onProgress: progress(run, 'analyze') };
      const { result, elapsedMs, compileMs } = await timed(device, () => analyze(model, windows, methods, options));
      const timing = { ...noTime, elapsedMs, loadMs, compileMs, tokenizeMs, tokens: model.plan.nTokens };
      return { analysis: result, source: report, facts: runFacts(compute, device, model.plan.mode, timing) };
    });
  });

/** `all` is every method that needs forward passes only. Throws UserError('usage') for a name that is none. */
export function methodNames(names: readonly string[]): ImportanceMethodName[] {
  if (names.includes('all')) return [...importanceMethodNames];
  const unknown = names.find((name) => !importanceMethodNames.includes(name as ImportanceMethodName));
  if (unknown !== undefined)
    throw new UserError(
      'usage',
      `There is no method ${unknown}; choose from all, ${importanceMethodNames.join(', ')}.`,
    );
  return [...new Set(names)] as ImportanceMethodName[];
}
