// The page of a healing, and its conversation with the extension host. Types only.
import type { Plan, PlanEstimate, RunControl } from '../engine';
import type { HealRecipe, HealReport } from '../../recipes/heal/recipe';
import type { Objective, OptimizerOptions } from '../../recipes/heal/trainingOptions';
import type { WeightsOption } from '../recipes';
import type { AdapterSummary, HealEval, LossPoint, ModelSummary, TrainingDataReport } from '../reports';
import type { RunSummary } from '../server';
import type { ConnectionState, PageProtocol, RunRequests, WritingRun } from './page';

export interface HealPage extends PageProtocol {
  name: 'heal';
  state: HealState;
  /** `runId` is null while there is only a form. */
  memory: { folder: string; runId: string | null };
  requests: Pick<RunRequests, 'run/cancel' | 'run/resume' | 'run/open'> & {
    /** Remembered by the host. */
    'heal/keep': { params: { view: HealView }; result: null };
    /** Remembered by the host, too; their plan comes as heal/state. */
    'heal/settings': { params: { settings: HealSettings }; result: null };
    /** Asks for another text; the answer comes as heal/state. */
    'heal/text': { params: Record<string, never>; result: null };
    /** Asks where to write, then starts; null when the user cancelled. */
    'heal/start': { params: { settings: HealSettings }; result: { runId: string } | null };
    'heal/control': { params: { action: RunControl }; result: null };
    /** Back to the form, with these settings. */
    'heal/again': { params: { settings: HealSettings }; result: null };
    /** Asks where to write, then folds the adapter into the weights. */
    'heal/merge': { params: Record<string, never>; result: { runId: string } | null };
    /** null: that of the run. */
    'heal/saveRecipe': { params: { settings: HealSettings | null }; result: { file: string } | null };
    /** Asks where to write it. `png` comes as base64. */
    'heal/export': { params: { kind: 'csv' | 'png' | 'svg'; content: string }; result: { file: string } | null };
  };
  notifications: { 'heal/state': HealState; 'heal/points': HealPoints };
}

/**
 * What the page shows. The points of the curve come apart, as heal/points: all that there are when the page opens, then
 * those that come.
 */
export interface HealState {
  model: ModelSummary;
  /** The model before pruning, as far as it is known here. */
  original: { name: string; folder: string } | null;
  view: HealView;
  connection: ConnectionState;
  /** Of the same model, or cut from the same one; newest first. */
  earlier: EarlierHealing[];
  shown: { kind: 'form'; form: HealForm } | { kind: 'run'; healing: HealingState };
}

/** Before a run. */
export interface HealForm {
  settings: HealSettings;
  /** What the text is called: a file name, without its folder. */
  textName: string | null;
  /** null until it is known, and where no text is. */
  plan: PlanEstimate | null;
  /** Why there is no plan, in a sentence. */
  refusal: string | null;
}

/** What a person chooses before a run; the rest of a HealRecipe has its defaults. */
export interface HealSettings {
  rank: number;
  alpha: number;
  targets: string[];
  learningRate: number;
  schedule: OptimizerOptions['schedule'];
  warmupSteps: number;
  steps: number;
  microBatchSequences: number;
  tokens: number;
  objective: Objective['kind'];
  /** null: as the setting says. */
  weights: WeightsOption | null;
}

export interface HealingState {
  run: RunSummary;
  recipe: HealRecipe;
  plan: Plan | null;
  report: HealReport | null;
  /** What the engine reported before its first step; null before that. */
  adapter: AdapterSummary | null;
  data: TrainingDataReport | null;
  references: { dense: LossPoint | null; pruned: LossPoint } | null;
  remainingSeconds: number | null;
  /** Asked for, and not yet so. */
  asked: RunControl | null;
  /** The newest run that folds the adapter of this one into the weights. */
  merging: WritingRun | null;
}

/** How the curve is shown; kept over reloads of the window. */
export interface HealView {
  /** Weight of what came before in the average, in [0, 1). */
  smoothing: number;
  by: 'step' | 'tokens' | 'seconds';
  logX: boolean;
  logY: boolean;
  /** Runs drawn beside this one. */
  overlays: string[];
}

/** A healing to compare with, in its evaluations alone. */
export interface EarlierHealing {
  run: RunSummary;
  recipe: HealRecipe;
  /** Blocks that its model lacks, of the first one. */
  removedBlocks: number[];
  evals: HealEval[];
}

/** Points of a curve in columns. A number that is none, such as a loss that has diverged, is null. */
export interface HealPoints {
  /** As in HealStep; a step that is not above the ones before takes their place, and all behind it. */
  step: number[];
  lossNats: (number | null)[];
  gradNorm: (number | null)[];
  learningRate: (number | null)[];
  tokensPerSecond: (number | null)[];
  memoryBytes: (number | null)[];
  evals: HealEval[];
}
