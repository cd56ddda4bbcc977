// The analysis that is offered while there is none: the text to measure on, and what measuring would cost.
import { UserError } from '../../../server/errors';
import type { PlanEstimate } from '../../../server/protocol/engine';
import type { AnalyzeOffer } from '../../../server/protocol/pages/chooseBlocks';
import type { ComputeOptions, TokenSource, WeightsOption } from '../../../server/protocol/recipes';
import type { AnalyzeRecipe, MeasureOptions } from '../../../server/recipes/analyze/recipe';
import type { ModelSummary } from '../../../server/protocol/reports';
import { openTexts } from '../../texts';
import { analyzeRecipe, fullMeasure } from '../analyzeRecipe';
import type { PanelHost } from '../pages';
import { openRemembered } from '../remembered';

export interface Offer {
  state(model: ModelSummary): AnalyzeOffer;
  /** null: no text was chosen yet. */
  source(model: ModelSummary): TokenSource | null;
  /** How an analysis, and a repair that rests on one, is computed. */
  compute(): ComputeOptions;
  /** Throws UserError where no text was chosen yet. */
  sourceOfRepair(model: ModelSummary): TokenSource;
  /** Asks for another text; false: cancelled by the user. */
  chooseText(): Promise<boolean>;
  /** Asks for a text where none was chosen yet; null: cancelled by the user. */
  askRecipe(model: ModelSummary, measure: MeasureOptions): Promise<AnalyzeRecipe | null>;
  /** Remembered for the next analysis of the model. */
  takeWeights(weights: WeightsOption | null): Promise<void>;
  /** Asks what an analysis would cost; there may be no plan. */
  plan(model: ModelSummary): Promise<void>;
}

/** null: as the setting says. */
const noWeights: { weights: WeightsOption | null } = { weights: null };

export function openOffer(folder: string, { context, connection, settings, log }: PanelHost): Offer {
  const texts = openTexts(context, settings);
  const remembered = openRemembered(context.workspaceState, `analysis ${folder}`, noWeights);
  let plan: PlanEstimate | null = null;
  const compute = () => settings.compute(remembered.value.weights);
  const source = (model: ModelSummary) => {
    const file = texts.known(folder);
    return file === null ? null : texts.source(file, model);
  };
  const recipeOf = (model: ModelSummary, from: TokenSource, measure: MeasureOptions) =>
    analyzeRecipe(model, from, measure, compute());
  return {
    state(model) {
      const file = texts.known(folder);
      const { weights } = remembered.value;
      return { measure: fullMeasure(model), plan, weights, textName: file && texts.nameOf(file) };
    },
    source,
    compute,
    sourceOfRepair(model) {
      const from = source(model);
      if (!from)
        throw new UserError(
          'usage',
          'A repair and channels of the MLPs need a text; analyze the model with one first.',
        );
      return from;
    },
    chooseText: async () => (await texts.choose(folder)) !== null,
    async askRecipe(model, measure) {
      if (!source(model)) await texts.choose(folder);
      const from = source(model);
      return from && recipeOf(model, from, measure);
    },
    takeWeights: (weights) => remembered.keep({ weights }),
    async plan(model) {
      plan = null;
      const from = source(model);
      if (!from) return;
      try {
        plan = await connection.request('plan/make', { recipe: recipeOf(model, from, fullMeasure(model)) });
      } catch (error) {
        log.info(`no plan for ${folder}: ${error instanceof Error ? error.message : error}`);
      }
    },
  };
}
