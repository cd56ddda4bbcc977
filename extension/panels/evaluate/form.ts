// The form before an evaluation, the same for all models of the workspace, and the recipe that it stands for.
import type { ExtensionContext } from 'vscode';
import type { EvaluationForm, EvaluationSettings } from '../../../server/protocol/pages/evaluate';
import type { EvaluateRecipe } from '../../../server/recipes/evaluate/recipe';
import type { Connection } from '../../connection';
import type { Settings } from '../../settings';
import { openForm } from '../form';
import { missingInCache } from './missingData';
import { defaultEvaluation, evaluateRecipe } from './recipe';

export interface KeptEvaluationForm {
  readonly state: EvaluationForm;
  /** Remembers what was chosen. */
  take(settings: EvaluationSettings): Promise<void>;
  /** The plan that is shown belongs to something else. */
  forgetPlan(): void;
  recipe(settings: EvaluationSettings, models: readonly string[]): EvaluateRecipe;
  /** Asks what the evaluation would cost; there may be no plan. */
  plan(models: readonly string[]): Promise<void>;
}

export function openEvaluationForm(
  memory: ExtensionContext['workspaceState'],
  settings: Pick<Settings, 'benchmarkData' | 'compute'>,
  connection: Pick<Connection, 'request'>,
  changed: () => void,
  missingIn: (tasks: readonly string[], examples: boolean) => string[] = missingInCache,
): KeptEvaluationForm {
  const form = openForm(memory, 'evaluation settings', defaultEvaluation, connection, changed);
  const recipe: KeptEvaluationForm['recipe'] = (chosen, models) =>
    evaluateRecipe(chosen, { models, data: settings.benchmarkData() }, settings.compute(chosen.weights));
  return {
    get state() {
      const { settings: chosen, plan, refusal } = form.state;
      const dataFolder = settings.benchmarkData();
      const missingData = dataFolder === null ? missingIn(chosen.tasks, (chosen.fewShot ?? 0) > 0) : [];
      return { settings: chosen, plan, refusal, dataFolder, missingData };
    },
    take: form.take,
    forgetPlan: form.forgetPlan,
    recipe,
    async plan(models) {
      const { settings: chosen } = form.state;
      if (chosen.tasks.length === 0) changed();
      else await form.plan(recipe(chosen, models));
    },
  };
}
