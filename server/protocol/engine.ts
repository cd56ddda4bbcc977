// Between whoever starts an engine (command line, compute server) and the engine process, over IPC: requests go in,
// events come out. Types only.
import type { DropSet } from './recipes';
import type { Recipe } from '../recipes/kinds';
import type {
  AdapterSummary,
  AnalyzeReport,
  Estimate,
  EvaluateReport,
  HealEval,
  HealStep,
  LossPoint,
  MeasuredSpeed,
  Report,
  TrainingDataReport,
} from './reports';

/** Shown before the work starts. */
export interface Plan {
  model: string;
  device: string;
  threads: number;
  memory: 'resident' | 'streaming';
  nWindows: number;
  nTokens: number;
  bytes: { weights: number; states: number; activations: number; processes: number };
  totalBytes: number;
  limitBytes: number;
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

/**
 * What the engine is told. One recipe a process. `ask` and `time` are questions to an engine that stays
 * (AnalyzeRecipe.stay), after `done`: what a drop set costs, and how much time it saves. A newer question of either kind
 * ends the work on older ones; `withdraw` ends it where there is none.
 */
export type EngineRequest =
  | { kind: 'start'; recipe: Recipe }
  | { kind: 'cancel' }
  | { kind: 'ask'; question: number; drop: DropSet }
  | { kind: 'time'; question: number; drop: DropSet }
  | { kind: 'withdraw'; question: number }
  | { kind: 'control'; action: RunControl };

/** For runs that go on for long: wait between two steps, go on, or end now and save. */
export type RunControl = 'pause' | 'continue' | 'stopAndSave';

/**
 * What the engine tells. `done` or `failed` comes exactly once and ends the work; an engine that stays tells `estimate`s
 * after it, the last one of a question with `final` true, or `timed`, or `refused`.
 */
export type EngineEvent =
  | { kind: 'plan'; plan: Plan }
  /** Of a study: what is before it, told again once it is known which sets there are. */
  | { kind: 'study'; plan: StudyPlan }
  | { kind: 'progress'; step: string; fraction: number }
  | { kind: 'text'; text: string }
  /** A part of an analysis that is known before its end. */
  | { kind: 'partial'; report: Partial<AnalyzeReport> }
  /** Healing: what will be trained on, the lines to compare with, a step, a judgement. After a resume those of before come again. */
  | { kind: 'healing'; adapter: AdapterSummary; data: TrainingDataReport; steps: number }
  | { kind: 'references'; dense: LossPoint | null; pruned: LossPoint | null }
  | { kind: 'step'; step: HealStep; remainingSeconds: number; memoryBytes: number }
  | { kind: 'evaluation'; evaluation: HealEval }
  /** Evaluating: what is known of the report so far. */
  | {
      kind: 'scored';
      report: Pick<EvaluateReport, 'models' | 'tasks' | 'groups' | 'scores' | 'comparisons' | 'warnings'>;
    }
  | { kind: 'paused'; paused: boolean }
  | { kind: 'done'; report: Report }
  | { kind: 'failed'; code: string; message: string; stack?: string }
  | { kind: 'estimate'; question: number; estimate: Estimate }
  | { kind: 'timed'; question: number; speed: MeasuredSpeed }
  | { kind: 'refused'; question: number; code: string; message: string };
