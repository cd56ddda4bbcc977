// The form before an evaluation, the same for all models of the workspace, and the recipe that it stands for.
import type { ExtensionContext } from 'vscode';
import { UserError } from '../../../server/errors';
import type { EvaluationForm, EvaluationSettings } from '../../../server/protocol/pages/evaluate';
import type { EvaluateRecipe } from '../../../server/recipes/evaluate/recipe';
import type { Connection } from '../../connection';
import type { Settings } from '../../settings';
import { openForm } from '../form';
import { defaultEvaluation, evaluateRecipe } from './recipe';

export interface KeptEvaluationForm {
  readonly state: EvaluationForm;
  /** Remembers what was chosen. */
  take(settings: EvaluationSettings): Promise<void>;
  /** The plan that is shown belongs to something else. */
  forgetPlan(): void;
  /** Throws UserError while there is no data. */
  recipe(settings: EvaluationSettings, models: readonly string[]): EvaluateRecipe;
  /** Asks what the evaluation would cost; there may be no plan. */
  plan(models: readonly string[]): Promise<void>;
}

export function openEvaluationForm(
  memory: ExtensionContext['workspaceState'],
  settings: Pick<Settings, 'benchmarkData' | 'compute'>,
  connection: Pick<Connection, 'request'>,
  changed: () => void,
): KeptEvaluationForm {
  const form = openForm(memory, 'evaluation settings', defaultEvaluation, connection, changed);
  const recipe: KeptEvaluationForm['recipe'] = (chosen, models) => {
    const data = settings.benchmarkData();
    if (data === null)
      throw new UserError('usage', "An evaluation needs the folder with the tasks' data; choose it first.");
    return evaluateRecipe(chosen, { models, data }, settings.compute(chosen.weights));
  };
  return {
    get state() {
      const { settings: chosen, plan, refusal } = form.state;
      return { settings: chosen, plan, refusal, dataFolder: settings.benchmarkData() };
    },
    take: form.take,
    forgetPlan: form.forgetPlan,
    recipe,
    async plan(models) {
      const { settings: chosen } = form.state;
      if (settings.benchmarkData() === null || chosen.tasks.length === 0) changed();
      else await form.plan(recipe(chosen, models));
    },
  };
}
