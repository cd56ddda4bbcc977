// The page of an evaluation, and its conversation with the extension host. Types only.
import type { Plan, PlanEstimate } from '../engine';
import type { EvaluateRecipe, EvaluateReport } from '../../recipes/evaluate/recipe';
import type { WeightsOption } from '../recipes';
import type { ModelSummary } from '../reports';
import type { RunSummary } from '../server';
import type { ConnectionState, PageProtocol, RunRequests } from './page';

export interface EvaluatePage extends PageProtocol {
  name: 'evaluate';
  state: EvaluationState;
  /** `beside`: other runs whose variants are shown in the same table. */
  memory: { folders: string[]; runId: string | null; beside: string[] };
  requests: Pick<RunRequests, 'run/cancel'> & {
    /** Remembered by the host. */
    'evaluate/keep': { params: { view: EvaluationView }; result: null };
    /** Remembered by the host, too; their plan comes as evaluate/state. */
    'evaluate/settings': { params: { settings: EvaluationSettings }; result: null };
    /** Asks for the folder with the tasks' data, or goes back to the cache; the answer comes as evaluate/state. */
    'evaluate/data': { params: { from: 'folder' | 'cache' }; result: null };
    /** Fetches the data that the cache lacks, by a run of its own. */
    'evaluate/pull': { params: Record<string, never>; result: null };
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
  };
  notifications: { 'evaluate/state': EvaluationState };
}

/** What the page shows: a form, or the table of a run and of those beside it. */
export interface EvaluationState {
  /** The original first; of a form those that will be evaluated, of a run those that are still here. */
  models: ModelSummary[];
  view: EvaluationView;
  connection: ConnectionState;
  shown: { kind: 'form'; form: EvaluationForm } | { kind: 'run'; evaluation: EvaluationRun; beside: EvaluationRun[] };
}

/** Before a run. */
export interface EvaluationForm {
  settings: EvaluationSettings;
  /** The folder with the tasks' data; null: Hugging Face's cache. */
  dataFolder: string | null;
  /** Of the chosen tasks and groups those whose data the cache lacks, by name; none where a folder was chosen. */
  missingData: string[];
  /** null until it is known. */
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
  /** null: as the setting says. */
  weights: WeightsOption | null;
}

export interface EvaluationRun {
  run: RunSummary;
  recipe: EvaluateRecipe;
  plan: Plan | null;
  /** The scores so far; null once there is a report, and before the first score. */
  scored: ScoredSoFar | null;
  report: EvaluateReport | null;
}

export type ScoredSoFar = Pick<
  EvaluateReport,
  'models' | 'tasks' | 'groups' | 'scores' | 'comparisons' | 'notFinite' | 'warnings'
>;

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
