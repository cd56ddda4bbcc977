// The page of any run, and its conversation with the extension host. Types only.
import type { DownloadPlan, Plan } from '../engine';
import type { Report } from '../../recipes/kinds';
import type { RunSummary } from '../server';
import type { ConnectionState, PageProtocol, RunRequests } from './page';

export interface RunPage extends PageProtocol {
  name: 'run';
  state: RunPageState;
  memory: { runId: string };
  requests: Pick<RunRequests, 'run/cancel' | 'run/resume' | 'model/try'>;
  notifications: { 'run/state': RunPageState };
}

export interface RunPageState {
  run: RunSummary;
  /** As a recipe file. */
  recipeYaml: string;
  plan: Plan | null;
  /** Of a pull that has begun. */
  download: DownloadPlan | null;
  /** What the run warned of, and what of it is lost. */
  warnings: readonly string[];
  report: Report | null;
  connection: ConnectionState;
}
