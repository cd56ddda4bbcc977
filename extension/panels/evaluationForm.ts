// What is chosen before an evaluation, the same for all models of the workspace, and what that would cost.
import type { ExtensionContext } from 'vscode';
import { UserError } from '../../server/errors';
import type { EvaluationForm, EvaluationSettings } from '../../server/protocol/pages/evaluate';
import type { EvaluateRecipe } from '../../server/recipes/evaluate/recipe';
import type { Connection } from '../connection';
import type { Settings } from '../settings';
import { evaluateRecipe, usualEvaluation } from './evaluateRecipe';

export interface KeptForm {
  readonly state: EvaluationForm;
  /** Remembers what was chosen. */
  take(chosen: EvaluationSettings): Promise<void>;
  /** The plan that is shown belongs to something else. */
  forgetPlan(): void;
  /** Throws UserError while there is no data. */
  recipe(chosen: EvaluationSettings, models: readonly string[]): EvaluateRecipe;
  /** Asks what the evaluation would cost, as far as it can be said; only the newest question counts. */
  plan(models: readonly string[]): Promise<void>;
}

const settingsKey = 'evaluation settings';

export function openForm(
  memory: ExtensionContext['workspaceState'],
  settings: Pick<Settings, 'benchmarkData' | 'compute'>,
  connection: Pick<Connection, 'request'>,
  changed: () => void,
): KeptForm {
  let state: EvaluationForm = {
    settings: { ...usualEvaluation, ...memory.get<EvaluationSettings>(settingsKey) },
    dataFolder: settings.benchmarkData(),
    plan: null,
    refusal: null,
  };
  let newest = 0;
  const set = (patch: Partial<EvaluationForm>) => {
    state = { ...state, ...patch };
    changed();
  };
  const recipe = (chosen: EvaluationSettings, models: readonly string[]): EvaluateRecipe => {
    const data = settings.benchmarkData();
    if (data === null)
      throw new UserError('usage', "An evaluation needs the folder with the tasks' data; choose it first.");
    return evaluateRecipe(chosen, { models, data }, settings.compute());
  };
  return {
    get state() {
      return state;
    },
    async take(chosen) {
      set({ settings: chosen, plan: null, refusal: null });
      await memory.update(settingsKey, chosen);
    },
    forgetPlan: () => set({ plan: null, refusal: null }),
    recipe,
    async plan(models) {
      const mine = ++newest;
      set({ dataFolder: settings.benchmarkData() });
      if (state.dataFolder === null || state.settings.tasks.length === 0) return;
      const [plan, refusal] = await connection.request('plan/make', { recipe: recipe(state.settings, models) }).then(
        (made) => [made, null] as const,
        (error: unknown) => [null, error instanceof Error ? error.message : String(error)] as const,
      );
      if (mine === newest) set({ plan, refusal });
    },
  };
}
