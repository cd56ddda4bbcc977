// Between a process that starts an engine (command line, compute server) and the engine process, over IPC: requests go in,
// events come out. What becomes of each kind of event is one row of `engineEvents`.
import type { DropSet, WeightWidth } from './recipes';
import type { Recipe, Report } from '../recipes/kinds';
import type {
  AdapterSummary,
  Estimate,
  HealEval,
  HealStep,
  LossPoint,
  MeasuredSpeed,
  TrainingDataReport,
} from './reports';
import type { AnalyzeReport } from '../recipes/analyze/recipe';
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import type { PlannedUpload } from '../recipes/publish/recipe';
import type { RepositoryKind } from './repositoryNames';

/** Shown before the work starts. */
export interface Plan {
  model: string;
  device: string;
  /** Why `auto` is this device, in one sentence; absent where the recipe names one. */
  deviceReason?: string;
  threads: number;
  memory: 'resident' | 'streaming';
  /** While streaming: blocks whose weights stay on the device; absent: none. */
  stayingBlocks?: number;
  /** How the device is to hold matrices; absent in plans of earlier versions. */
  weights?: WeightWidth;
  /** Why `auto` takes that width, in words. Absent: it was asked for. */
  whyWeights?: string;
  nSequences: number;
  nTokens: number;
  /** Of the host's memory. */
  bytes: { weights: number; states: number; activations: number; processes: number };
  totalBytes: number;
  limitBytes: number;
  /** Of the device's memory; absent where that is the host's. */
  deviceMemory?: {
    bytes: { weights: number; states: number; activations: number };
    totalBytes: number;
    limitBytes: number;
  };
  estimatedSeconds: number;
  /** What the device was measured to do, floating-point; the seconds come from it. */
  operationsPerSecond?: number;
}

/** A plan that was made without the device: its seconds are null until a run has measured how fast the device is. */
export type PlanEstimate = Omit<Plan, 'estimatedSeconds'> & { estimatedSeconds: number | null };

/** What a study will do, before it starts: what several methods may choose alike is counted for each of them. */
export interface StudyPlan {
  steps: {
    id: string;
    title: string;
    kind: Recipe['kind'];
    operations: number;
    estimatedSeconds: number;
    done: boolean;
  }[];
  /** Of what is not done. */
  estimatedSeconds: number;
  nVariants: number;
  operationsPerSecond: number;
}

/** What a pull will fetch, before it does. */
export interface DownloadPlan {
  /** A model's repository, or those of data sets. */
  sources: { kind: RepositoryKind; repository: string; revision: string; commit: string }[];
  /** The folder of Hugging Face's cache. */
  cache: string;
  nFiles: number;
  sizeBytes: number;
  /** What is not there yet. */
  fetchBytes: number;
  freeBytes: number;
}

/** What a publishing will send, before it does. */
export interface UploadPlan {
  /** The hub's address. */
  endpoint: string;
  /** Whose token it is; null: nobody is logged in, so that nothing is known of what is on the hub. */
  account: string | null;
  folders: PlannedUpload[];
  sizeBytes: number;
  /** Slug or title of the collection; null: none. */
  collection: string | null;
}

/**
 * Requests to the engine. One recipe a process. `ask` and `time` are questions to a warm engine (AnalyzeRecipe.stay), after
 * `done`: what a drop set costs, and how much time it saves. A newer question of either kind cancels the older one;
 * `withdraw` cancels it where there is no newer one.
 */
export type EngineRequest =
  /**
   * `roots`: the resolved folders below which the recipe's paths have to lie when they are used; null: anywhere. `hubToken`: one that
   * a client keeps for its user; null: what the environment says counts. It is written nowhere.
   */
  | { kind: 'start'; recipe: Recipe; roots: readonly string[] | null; hubToken: string | null }
  | { kind: 'cancel' }
  | { kind: 'ask'; question: number; drop: DropSet }
  | { kind: 'time'; question: number; drop: DropSet }
  | { kind: 'withdraw'; question: number }
  | { kind: 'control'; action: RunControl };

/** For runs that go on for long: wait between two steps, go on, or end now and save. */
export type RunControl = 'pause' | 'continue' | 'stopAndSave';

/**
 * Events of the engine. `done` or `failed` comes exactly once and ends the work; a warm engine emits `estimate`s after it,
 * the last one of a question with `final` true, or `timed`, or `refused`.
 */
export type EngineEvent =
  | { kind: 'plan'; plan: Plan }
  /** Of a study: what it will do; emitted again once it is known which drop sets there are. */
  | { kind: 'study'; plan: StudyPlan }
  /** Of a pull: what it will fetch. Its progress is the share of these bytes. */
  | { kind: 'download'; download: DownloadPlan }
  /** Of a publishing: what it will send. */
  | { kind: 'upload'; upload: UploadPlan }
  /** What a person should know beside the result, in one sentence. */
  | { kind: 'warning'; text: string }
  | { kind: 'progress'; step: string; fraction: number }
  | { kind: 'text'; text: string }
  /** A part of an analysis that is known before its end. */
  | { kind: 'partial'; report: Partial<AnalyzeReport> }
  /** Healing: the training data, the losses to compare with, a step, an evaluation. After a resume earlier ones come again. */
  | { kind: 'healing'; adapter: AdapterSummary; data: TrainingDataReport; steps: number }
  | { kind: 'references'; dense: LossPoint | null; pruned: LossPoint | null }
  | { kind: 'step'; step: HealStep; remainingSeconds: number; memoryBytes: number }
  | { kind: 'evaluation'; evaluation: HealEval }
  /** Evaluating: what is known of the report so far. */
  | {
      kind: 'scored';
      report: Pick<EvaluateReport, 'models' | 'tasks' | 'groups' | 'scores' | 'comparisons' | 'notFinite' | 'warnings'>;
    }
  | { kind: 'paused'; paused: boolean }
  | { kind: 'done'; report: Report }
  | { kind: 'failed'; code: string; message: string; stack?: string }
  | { kind: 'estimate'; question: number; estimate: Estimate }
  | { kind: 'timed'; question: number; speed: MeasuredSpeed }
  | { kind: 'refused'; question: number; code: string; message: string };

/**
 * What becomes of an event: `run` is kept among the events of its run, which clients see; `state` changes the state of the
 * run; `outcome` ends the work; `answer` goes to the client that asked. Of paced events a run keeps at most one every
 * `everyMs`: the newest, or all of them joined.
 */
interface EngineEventRow {
  becomes: 'run' | 'state' | 'outcome' | 'answer';
  paced: { keep: 'newest' | 'joined'; everyMs: number } | null;
}

/** One row for every kind of event. */
export const engineEvents = {
  plan: { becomes: 'run', paced: null },
  study: { becomes: 'run', paced: null },
  download: { becomes: 'run', paced: null },
  upload: { becomes: 'run', paced: null },
  warning: { becomes: 'run', paced: null },
  progress: { becomes: 'run', paced: { keep: 'newest', everyMs: 250 } },
  text: { becomes: 'run', paced: { keep: 'joined', everyMs: 50 } },
  partial: { becomes: 'run', paced: null },
  healing: { becomes: 'run', paced: null },
  references: { becomes: 'run', paced: null },
  step: { becomes: 'run', paced: null },
  evaluation: { becomes: 'run', paced: null },
  scored: { becomes: 'run', paced: null },
  paused: { becomes: 'state', paced: null },
  done: { becomes: 'outcome', paced: null },
  failed: { becomes: 'outcome', paced: null },
  estimate: { becomes: 'answer', paced: null },
  timed: { becomes: 'answer', paced: null },
  refused: { becomes: 'answer', paced: null },
} as const satisfies { [K in EngineEvent['kind']]: EngineEventRow };

type Rows = typeof engineEvents;
type EventsThatBecome<B extends EngineEventRow['becomes']> = Extract<
  EngineEvent,
  { kind: { [K in keyof Rows]: Rows[K]['becomes'] extends B ? K : never }[keyof Rows] }
>;

/** Events of the work that a run keeps. */
export type WorkEvent = EventsThatBecome<'run'>;
/** Events of which a run keeps a few a second. */
export type PacedEvent = Extract<
  EngineEvent,
  { kind: { [K in keyof Rows]: Rows[K]['paced'] extends null ? never : K }[keyof Rows] }
>;
/** Ends the work. */
export type Outcome = EventsThatBecome<'outcome'>;
/** Answers to a question. */
export type AnswerEvent = EventsThatBecome<'answer'>;

export const isWorkEvent = (event: EngineEvent): event is WorkEvent => engineEvents[event.kind].becomes === 'run';
export const isPacedEvent = (event: EngineEvent): event is PacedEvent => engineEvents[event.kind].paced !== null;
export const isOutcome = (event: EngineEvent): event is Outcome => engineEvents[event.kind].becomes === 'outcome';
export const isAnswer = (event: EngineEvent): event is AnswerEvent => engineEvents[event.kind].becomes === 'answer';
