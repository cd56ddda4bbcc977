// The page in which the blocks of a model are chosen, and its conversation with the extension host. Types only.
import type { PlanEstimate } from '../engine';
import type { DropSet, TokenSource, WeightsOption } from '../recipes';
import type { MeasureOptions, AnalyzeReport } from '../../recipes/analyze/recipe';
import type { RepairOptions } from '../../recipes/prune/recipe';
import type { Estimate, MeasuredSpeed, ModelSummary } from '../reports';
import type { RunSummary } from '../server';
import type { ConnectionState, PageProtocol, RunRequests, WritingRun } from './page';

export interface ChooseBlocksPage extends PageProtocol {
  name: 'chooseBlocks';
  state: ChooseBlocksState;
  /** `choice` is null until the page was shown. */
  memory: { folder: string; choice: ChoiceState | null };
  requests: RunRequests & {
    /** Remembered by the host and put into the window's state. */
    'choose/keep': { params: { choice: ChoiceState }; result: null };
    /** Estimates on the way come as choose/estimate. */
    'choose/ask': { params: { question: number; drop: DropSet }; result: Estimate };
    /** Asks where to write, then starts; null when the user cancelled. */
    'choose/prune': { params: ChosenToPrune; result: { runId: string } | null };
    'choose/saveRecipe': { params: ChosenToPrune; result: { file: string } | null };
    /** All that led to the model that was written, as one recipe; asks for a file; null when the user cancelled. */
    'choose/saveWay': { params: { folder: string }; result: { file: string } | null };
    /** Asks for a text where none is known, then starts an analysis. */
    'choose/analyze': { params: { measure: MeasureOptions }; result: { runId: string } | null };
    /** Asks for another text; the answer comes as choose/state. */
    'choose/text': { params: Record<string, never>; result: null };
    /** Of the next analysis; remembered by the host. Its plan comes as choose/state. */
    'choose/weights': { params: { weights: WeightsOption | null }; result: null };
    /** Waits for the answer to choose/ask; a newer choose/ask ends it. */
    'choose/speed': { params: { drop: DropSet }; result: MeasuredSpeed };
  };
  notifications: {
    'choose/state': ChooseBlocksState;
    'choose/estimate': { question: number; estimate: Estimate };
    /** The state of the page's prune run; the same as ChooseBlocksState.pruning. */
    'choose/pruning': WritingRun;
  };
}

/** What the page shows; the host keeps it up to date. */
export interface ChooseBlocksState {
  model: ModelSummary;
  /** The newest analysis of the model, with its partial reports applied. */
  analysis: Partial<AnalyzeReport> | null;
  run: RunSummary | null;
  source: TokenSource | null;
  connection: ConnectionState;
  /** Kept over reloads of the window. */
  choice: ChoiceState;
  recipesFolder: string | null;
  /** What an analysis would cost, while there is none: of the text and options that choose/analyze would take. */
  offer?: AnalyzeOffer | null;
  /** The newest prune run that this page started, and its folder. */
  pruning?: WritingRun | null;
  /** The host answers choose/speed. */
  measuresSpeed?: boolean;
}

export interface ChosenToPrune {
  drop: DropSet;
  repair: RepairOptions | null;
  /** How many channels of every MLP stay; absent: all. */
  mlpWidth?: number;
}

export interface ChoiceState {
  drop: DropSet;
  protected: number[];
  method: string;
}

/** `plan` is null until it is known, and where no text is known yet. */
export interface AnalyzeOffer {
  measure: MeasureOptions;
  plan: PlanEstimate | null;
  /** How it would hold matrices; null: as the setting says. */
  weights: WeightsOption | null;
  /** What the text is called: a file name, without its folder. */
  textName: string | null;
}
