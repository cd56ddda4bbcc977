// Between the pages and the extension host, JSON-RPC over postMessage. A page knows neither port nor token. Types only.
import type { Plan, PlanEstimate, RunControl } from './engine';
import type {
  DropSet,
  EvaluateRecipe,
  HealRecipe,
  MeasureOptions,
  Objective,
  OptimizerOptions,
  RepairOptions,
  TokenSource,
} from './recipes';
import type {
  AdapterSummary,
  AnalyzeReport,
  Estimate,
  EvaluateReport,
  GenerateReport,
  HealEval,
  HealReport,
  LossPoint,
  MeasuredSpeed,
  ModelSummary,
  Report,
  TrainingDataReport,
} from './reports';
import type { RunSummary } from './server';

/** What a page works with; the host keeps it true. */
export interface ChooseBlocksState {
  model: ModelSummary;
  /** The newest analysis of the model, grown by its partial reports. */
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
  pruning?: PruningState | null;
  /** The host answers choose/speed. */
  measuresSpeed?: boolean;
}

/** `plan` is null until it is known, and where no text is known yet. */
export interface AnalyzeOffer {
  measure: MeasureOptions;
  plan: Plan | null;
  /** What the text is called: a file name, without its folder. */
  textName: string | null;
}

export interface PruningState {
  run: RunSummary;
  out: string;
}

export type ConnectionState =
  | { state: 'starting' }
  | { state: 'connected' }
  | { state: 'reconnecting'; attempt: number }
  | { state: 'stopped' }
  | { state: 'failed'; message: string };

export interface ChoiceState {
  drop: DropSet;
  protected: number[];
  method: string;
}

/** What a page keeps in the window's state, so that a reload brings it back: the serializer gets it. */
export type PageMemory =
  | { page: 'chooseBlocks'; folder: string; choice: ChoiceState }
  | { page: 'try'; folders: string[]; prompt: string; maxTokens: number }
  | { page: 'run'; runId: string }
  /** `runId` is null while there is only a form. */
  | { page: 'heal'; folder: string; runId: string | null }
  /** `beside`: other runs whose variants are shown in the same table. */
  | { page: 'evaluate'; folders: string[]; runId: string | null; beside: string[] };

/**
 * What the page of a healing works with. Its points come apart, as heal/points: all that there are when the page opens,
 * then those that come.
 */
export interface HealState {
  model: ModelSummary;
  /** The model before pruning, as far as it is known here. */
  dense: { name: string; folder: string } | null;
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
  microBatchWindows: number;
  tokens: number;
  objective: Objective['kind'];
}

export interface HealingState {
  run: RunSummary;
  recipe: HealRecipe;
  plan: Plan | null;
  report: HealReport | null;
  /** What the engine told before its first step; null before that. */
  adapter: AdapterSummary | null;
  data: TrainingDataReport | null;
  references: { dense: LossPoint | null; pruned: LossPoint } | null;
  remainingSeconds: number | null;
  /** Asked for, and not yet so. */
  asked: RunControl | null;
  /** The newest run that folds the adapter of this one into the weights. */
  merging: PruningState | null;
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

/** A healing to compare with, in its judgements alone. */
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

/** What the page of an evaluation works with: a form, or the table of a run and of those beside it. */
export interface EvaluationState {
  /** The base first; of a form those that will be evaluated, of a run those that are still here. */
  models: ModelSummary[];
  view: EvaluationView;
  connection: ConnectionState;
  shown: { kind: 'form'; form: EvaluationForm } | { kind: 'run'; evaluation: EvaluationRun; beside: EvaluationRun[] };
}

/** Before a run. */
export interface EvaluationForm {
  settings: EvaluationSettings;
  /** The folder with the tasks' data; null: none was chosen yet. */
  dataFolder: string | null;
  /** null until it is known, and where no data folder is. */
  plan: PlanEstimate | null;
  /** Why there is no plan, in a sentence. */
  refusal: string | null;
}

/** What a person chooses before a run; the rest of an EvaluateRecipe has its defaults. */
export interface EvaluationSettings {
  tasks: string[];
  /** The first so many of each task; null: all. */
  items: number | null;
  fewShot: number | null;
  generate: boolean;
}

export interface EvaluationRun {
  run: RunSummary;
  recipe: EvaluateRecipe;
  plan: Plan | null;
  /** What was told while it went on; null once there is a report, and before the first score. */
  scored: ScoredSoFar | null;
  report: EvaluateReport | null;
}

export type ScoredSoFar = Pick<EvaluateReport, 'models' | 'tasks' | 'groups' | 'scores' | 'comparisons' | 'warnings'>;

/** How the table is shown; kept over reloads of the window. */
export interface EvaluationView {
  /** null: as the tasks were asked for. */
  sort: EvaluationSort | null;
  filter: string;
  /** Only rows with a difference that is significant. */
  significant: boolean;
  /** Groups that a person has opened or closed; others are closed when they are large. */
  opened: Record<string, boolean>;
}

export interface EvaluationSort {
  by: 'task' | 'base' | 'value' | 'difference';
  /** Of the variants, in the order in which they are shown. */
  variant: number;
  descending: boolean;
}

export interface TryState {
  /** The base first. */
  models: ModelSummary[];
  prompt: string;
  maxTokens: number;
  connection: ConnectionState;
}

export interface RunPageState {
  run: RunSummary;
  /** As a recipe file. */
  recipeYaml: string;
  plan: Plan | null;
  report: Report | null;
  connection: ConnectionState;
}

/** From the page to the host. */
export interface PageRequests {
  /** The page is ready; the answer is everything it shows. */
  'page/open': {
    params: Record<string, never>;
    result:
      | { page: 'chooseBlocks'; state: ChooseBlocksState }
      | { page: 'try'; state: TryState }
      | { page: 'run'; state: RunPageState }
      | { page: 'heal'; state: HealState }
      | { page: 'evaluate'; state: EvaluationState };
  };
  /** Remembered by the host and put into the window's state. */
  'choose/keep': { params: { choice: ChoiceState }; result: null };
  /** Estimates on the way come as choose/estimate. */
  'choose/ask': { params: { question: number; drop: DropSet }; result: Estimate };
  /** Asks where to write, then starts; null when the person thought better of it. */
  'choose/prune': { params: { drop: DropSet; repair: RepairOptions | null }; result: { runId: string } | null };
  'choose/saveRecipe': { params: { drop: DropSet; repair: RepairOptions | null }; result: { file: string } | null };
  /** Asks for a text where none is known, then starts an analysis. */
  'choose/analyze': { params: { measure: MeasureOptions }; result: { runId: string } | null };
  /** Asks for another text; the answer comes as choose/state. */
  'choose/text': { params: Record<string, never>; result: null };
  /** Waits for the answer to choose/ask; a newer choose/ask ends it. */
  'choose/speed': { params: { drop: DropSet }; result: MeasuredSpeed };
  /** Remembered by the host. */
  'heal/keep': { params: { view: HealView }; result: null };
  /** Remembered by the host, too; their plan comes as heal/state. */
  'heal/settings': { params: { settings: HealSettings }; result: null };
  /** Asks for another text; the answer comes as heal/state. */
  'heal/text': { params: Record<string, never>; result: null };
  /** Asks where to write, then starts; null when the person thought better of it. */
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
  /** Remembered by the host. */
  'evaluate/keep': { params: { view: EvaluationView }; result: null };
  /** Remembered by the host, too; their plan comes as evaluate/state. */
  'evaluate/settings': { params: { settings: EvaluationSettings }; result: null };
  /** Asks for the folder with the tasks' data; the answer comes as evaluate/state. */
  'evaluate/data': { params: Record<string, never>; result: null };
  /** Asks which models, or which earlier evaluation; the answer comes as evaluate/state. */
  'evaluate/addVariant': { params: Record<string, never>; result: null };
  /** A model of the form by its folder, or a run beside this one by its id. */
  'evaluate/remove': { params: { folder: string } | { runId: string }; result: null };
  'evaluate/start': { params: { settings: EvaluationSettings }; result: { runId: string } };
  /** The same recipe as a new run. */
  'evaluate/repeat': { params: Record<string, never>; result: { runId: string } };
  /** Back to the form, with all models that are shown and with these settings. */
  'evaluate/again': { params: { settings: EvaluationSettings }; result: null };
  /** null: that of the run. */
  'evaluate/saveRecipe': { params: { settings: EvaluationSettings | null }; result: { file: string } | null };
  /** Asks where to write it. */
  'evaluate/export': { params: { kind: 'csv' | 'json'; content: string }; result: { file: string } | null };
  'run/cancel': { params: { runId: string }; result: null };
  /** Starts a failed, cancelled or interrupted run again. */
  'run/resume': { params: { runId: string }; result: null };
  'log/open': { params: Record<string, never>; result: null };
  'server/restart': { params: Record<string, never>; result: null };
  'run/open': { params: { runId: string }; result: null };
  'model/try': { params: { folder: string }; result: null };
  /** One prompt for all models of the page, one after the other; text comes as try/text. */
  'try/generate': { params: { prompt: string; maxTokens: number }; result: GenerateReport[] };
  'try/cancel': { params: Record<string, never>; result: null };
  'text/copy': { params: { text: string }; result: null };
}

/** From the page to the host, unanswered. */
export interface PageNotifications {
  'page/painted': { atEpochMs: number; scriptMs: number };
  'page/violation': { directive: string; blocked: string; source: string };
  'page/error': { message: string; stack: string };
}

/** From the host to the page. At most 30 messages a second. */
export interface HostNotifications {
  'choose/state': ChooseBlocksState;
  'choose/estimate': { question: number; estimate: Estimate };
  /** The state of the page's prune run; the same as ChooseBlocksState.pruning. */
  'choose/pruning': PruningState;
  'try/state': TryState;
  /** Text that the model with this index has added. */
  'try/text': { model: number; text: string };
  /** One model has finished; the others go on. */
  'try/report': { model: number; report: GenerateReport };
  'run/state': RunPageState;
  'heal/state': HealState;
  'heal/points': HealPoints;
  'evaluate/state': EvaluationState;
}
