// evaluate: models on tasks, each item scored as the harness does, variants beside the base.
import type { EvaluateRecipe, EvaluateReport } from '../protocol';
import type { Run } from './session';

export const runEvaluate = (_recipe: EvaluateRecipe, _run: Run): Promise<EvaluateReport> => {
  throw new Error('to come');
};
