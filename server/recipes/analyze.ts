// analyze: how much does each block matter?
import { analyze, keepsStates } from '../analysis/analyze';
import { type ImportanceMethodName, importanceMethodNames } from '../analysis/importance';
import { UserError } from '../errors';
import type { AnalyzeRecipe, AnalyzeReport } from '../protocol';
import { summarize } from './modelSummary';
import { noTime, progress, type Run, runFacts, timed, withCheckpoint, withDevice, withModel } from './session';
import { windowsFor } from './windows';

export const runAnalyze = (recipe: AnalyzeRecipe, run: Run): Promise<AnalyzeReport> =>
  withCheckpoint(recipe.model, (checkpoint) =>
    withDevice(recipe.compute, async (device) => {
      const methods = methodNames(recipe.methods);
      const { windows, report: source, tokenizeMs } = await windowsFor(checkpoint, recipe.source);
      const work = { nWindows: windows.length, tokensPerWindow: windows[0]!.length, keepStates: keepsStates(methods) };
      return withModel(checkpoint, device, recipe.compute, work, run, async (model, loadMs) => {
        const options = { signal: run.signal, onProgress: progress(run, 'analyze') };
        const { result, elapsedMs, compileMs } = await timed(device, () => analyze(model, windows, methods, options));
        const timing = { ...noTime, elapsedMs, loadMs, compileMs, tokenizeMs, tokens: model.plan.nTokens };
        return {
          kind: 'analyze',
          model: summarize(checkpoint),
          source,
          ...result,
          perplexity: Math.exp(result.lossNats),
          ...runFacts(recipe.compute, device.provider, model.plan.mode, timing),
        };
      });
    }),
  );

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
