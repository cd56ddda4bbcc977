// What the panel of a model shows: what is known of the model, its newest analysis or the offer of one, what is chosen, and
// what is being written.
import { randomUUID } from 'node:crypto';
import { type Disposable, workspace } from 'vscode';
import type { ChoiceState, ChooseBlocksPage, ChooseBlocksState } from '../../../server/protocol/pages/chooseBlocks';
import type { WritingRun } from '../../../server/protocol/pages/page';
import type { MeasureOptions } from '../../../server/recipes/analyze/recipe';
import type { WeightsOption } from '../../../server/protocol/recipes';
import type { ModelSummary } from '../../../server/protocol/reports';
import type { PanelHost } from '../pages';
import { openRemembered } from '../remembered';
import { type FollowedAnalysis, openAnalysis } from './analysis';
import { openOffer } from './offer';
import { openPruning, type Pruning } from './pruning';

const noChoice: ChoiceState = { drop: { blocks: [], attention: [], mlp: [] }, protected: [], method: 'blockInfluence' };

export interface ShownChoice extends Disposable {
  readonly analysis: FollowedAnalysis;
  readonly pruning: Pruning;
  /** null until the model was inspected. */
  state(): ChooseBlocksState | null;
  /** Fetches what is shown, as far as it is not there. */
  load(): Promise<ChooseBlocksState>;
  keep(choice: ChoiceState): Promise<void>;
  /** Asks for a text where none is known; null: cancelled by the user. */
  analyze(measure: MeasureOptions): Promise<{ runId: string } | null>;
  chooseText(): Promise<void>;
  takeWeights(weights: WeightsOption | null): Promise<void>;
}

interface Listener {
  changed(): void;
  pruning(state: WritingRun): void;
}

type Place = ChooseBlocksPage['memory'];

export function openShownChoice({ folder, choice: first }: Place, host: PanelHost, listener: Listener): ShownChoice {
  const { connection } = host;
  const { changed } = listener;
  const offer = openOffer(folder, host);
  const analysis = openAnalysis(folder, connection, { changed, deleted: () => void plan() });
  const ofPruning = {
    source: () => offer.sourceOfRepair(model!),
    compute: offer.compute,
  };
  const pruning = openPruning(folder, ofPruning, host, listener.pruning);
  const choice = openRemembered(host.context.workspaceState, `choice ${folder}`, noChoice);
  if (first) void choice.keep(first);
  let model: ModelSummary | null = null;

  async function plan(): Promise<void> {
    if (model) await offer.plan(model);
    changed();
  }
  const stateOf = (known: ModelSummary): ChooseBlocksState => {
    const report = analysis.state?.report ?? null;
    return {
      model: known,
      analysis: report,
      run: analysis.state?.run ?? null,
      source: report?.source ? null : offer.source(known),
      connection: connection.state,
      choice: choice.value,
      recipesFolder: workspace.workspaceFolders?.[0]?.uri.fsPath ?? null,
      offer: offer.state(known),
      pruning: pruning.state,
      measuresSpeed: report !== null,
    };
  };
  async function load(): Promise<ChooseBlocksState> {
    // A panel that a reload brought back asks before the window is connected.
    await connection.ready();
    model ??= await connection.request('models/inspect', { folder });
    await pruning.restore();
    if (!(await analysis.find())) await plan();
    return stateOf(model);
  }
  return {
    analysis,
    pruning,
    state: () => model && stateOf(model),
    load,
    keep: choice.keep,
    async analyze(measure) {
      const recipe = await offer.askRecipe(model!, measure);
      if (!recipe) return null;
      const runId = randomUUID();
      await analysis.follow(await connection.request('runs/start', { runId, recipe }));
      return { runId };
    },
    async takeWeights(weights) {
      await offer.takeWeights(weights);
      await plan();
    },
    async chooseText() {
      if (await offer.chooseText()) await plan();
    },
    dispose() {
      analysis.dispose();
      pruning.dispose();
    },
  };
}
