// What the rest of the server sees of runs: named after the requests of protocol.ts, without sockets and sessions.
import type { DropSet, Estimate, Plan, Recipe, Report, RunEvent, RunSummary } from '../protocol';

export interface OpenRunsOptions {
  /** Runs live in its subfolder `runs`. */
  dataFolder: string;
  build: string;
  /** Runs that appeared or changed, and ids of those that went. */
  onChange(runs: RunSummary[], deleted: string[]): void;
  /** The last active run has ended. */
  onIdle(): void;
}

/** Every failure that a person can act on is thrown as a UserError. */
export interface Runs {
  /** Answers once the run is on disk. A known id is answered with the run that it has; `roots` are kept with the run. */
  start(runId: string, recipe: Recipe, roots: readonly string[]): Promise<RunSummary>;
  list(): RunSummary[];
  get(runId: string): Promise<{ run: RunSummary; recipe: Recipe; plan: Plan | null; report: Report | null }>;
  /** The roots that the run began with. */
  roots(runId: string): readonly string[];
  /** The listener first gets what came after `since`, in order, then what comes; `stop` ends that. */
  subscribe(
    runId: string,
    since: number,
    listener: (events: RunEvent[]) => void,
  ): Promise<{ lastSeq: number; stop: () => void }>;
  cancel(runId: string): Promise<RunSummary>;
  resume(runId: string): Promise<RunSummary>;
  /** Of a run that has ended. */
  remove(runId: string): Promise<{ freedBytes: number }>;
  /** A newer question of the same client and run ends the older one, which rejects with the code `superseded`. */
  ask(
    runId: string,
    client: string,
    question: number,
    drop: DropSet,
    tell: (estimate: Estimate) => void,
    signal: AbortSignal,
  ): Promise<Estimate>;
  /** Queued and running. */
  active(): number;
  /** Ends engines and running runs, which become interrupted. */
  stop(): Promise<void>;
}
