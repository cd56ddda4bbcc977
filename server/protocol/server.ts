// Between clients (the extension) and the compute server, JSON-RPC 2.0 over a websocket; the language of recipe files
// (LSP) shares the connection. Types only.
import type { Incompatibility, ProtocolName } from './compatibility';
import type { DevicesReport } from './devices';
import type { Plan, PlanEstimate, RunControl, WorkEvent } from './engine';
import type { DropSet } from './recipes';
import type { Recipe, Report } from '../recipes/kinds';
import type { Estimate, MeasuredSpeed, ModelSummary } from './reports';

/** Sent with `initialize` as initializationOptions. */
export interface ClientOptions {
  protocol: ProtocolName;
  /** A hash of what goes over the wire; it decides whether the server serves this client. */
  wire: string;
  build: string;
  /** Absolute folders below which this connection may name paths. A run keeps those it began with. */
  roots: string[];
}

/** A file in `servers/` of the data folder, readable by its owner alone: how clients of its host or container find a server. */
export interface ServerLock {
  /** A ProcessIdentity. */
  pid: number;
  started: string;
  place: string;
  host: string;
  /** The namespace in which the port means something; empty where there is none. */
  network: string;
  /** On 127.0.0.1. */
  port: number;
  /** Known to those who can read this file; both ends prove that they know it, and neither sends it. */
  token: string;
  protocol: ProtocolName;
  /** Servers from before it existed have none. */
  wire?: string | undefined;
  build: string;
}

/**
 * The `data` of every error that the server answers with. Codes are those of errors.ts, and `internal`. A client that the
 * server cannot serve gets `otherBuild`, under which clients of every build know it, and the reason.
 */
export interface ErrorData {
  code: string;
  reason?: Incompatibility;
  /** For `otherBuild`: the server's. */
  build?: string;
}

/** In the result of `initialize`, under `espalier`. */
export interface ServerFacts {
  protocol: ProtocolName;
  wire: string;
  build: string;
  pid: number;
  node: string;
  dataFolder: string;
}

export type RunState =
  | { state: 'queued' }
  | { state: 'running'; step: string; fraction: number }
  /** Waits between two steps until it is continued; it keeps its device. */
  | { state: 'paused'; step: string; fraction: number }
  | { state: 'done' }
  | { state: 'failed'; code: string; message: string }
  | { state: 'cancelled' }
  /** The server ended while the run was active. */
  | { state: 'interrupted' };

export type RunSummary = {
  runId: string;
  /** `unknown`: its files are damaged, or of a later version; it has failed, and can only be deleted. */
  kind: Recipe['kind'] | 'unknown';
  /** Such as `Prune SmolLM2-135M` or `Analyze stories260k`. */
  title: string;
  model: string;
  createdAtEpochMs: number;
  startedAtEpochMs: number | null;
  endedAtEpochMs: number | null;
  /** Sequence number of its newest event. */
  lastSeq: number;
  /** Where another server has it, or had it when it was interrupted; null: it is this server's. */
  host: string | null;
} & RunState;

/** An event of a run; `seq` counts from 1. A number is given once; one that is missing was lost with its line of the log. */
export interface RunEvent {
  seq: number;
  atEpochMs: number;
  event:
    | { kind: 'state'; state: RunState }
    | WorkEvent
    /** The report is fetched with runs/get. */
    | { kind: 'reported' };
}

export interface FoundModel {
  summary: ModelSummary;
  /** Of the model it was made from, where that is among those found. */
  parentFolder: string | null;
  /** The newest analysis among the runs; null: none. */
  analysisRunId: string | null;
}

/** A folder that looks like a model and cannot be read as one. */
export interface BrokenModel {
  folder: string;
  /** What was found and what to do. */
  message: string;
}

export interface FoundModels {
  models: FoundModel[];
  broken: BrokenModel[];
  /** Why not all folders were looked through; null: all were. */
  cut: string | null;
}

/** Requests by method. */
export interface ServerRequests {
  /**
   * Starts once however often it is sent: the client chooses the id (a UUID). `hubToken`: a token of the hub that the client keeps
   * for its user. It stays in memory until the run has begun, and is in no recipe, event, report, file or log.
   */
  'runs/start': { params: { runId: string; recipe: Recipe; hubToken?: string | undefined }; result: RunSummary };
  'runs/list': { params: Record<string, never>; result: RunSummary[] };
  'runs/get': {
    params: { runId: string };
    result: { run: RunSummary; recipe: Recipe; plan: Plan | null; warnings: string[]; report: Report | null };
  };
  /** Events after `since` are sent again, then those that come. */
  'runs/subscribe': { params: { runId: string; since: number }; result: { lastSeq: number } };
  'runs/unsubscribe': { params: { runId: string }; result: null };
  'runs/cancel': { params: { runId: string }; result: RunSummary };
  'runs/resume': { params: { runId: string; hubToken?: string | undefined }; result: RunSummary };
  /** Of a heal run that is running or paused. */
  'runs/control': { params: { runId: string; action: RunControl }; result: RunSummary };
  /** Its folder lies in the trash of the data folder for a week. */
  'runs/delete': { params: { runId: string }; result: { freedBytes: number } };
  /** The recipe of a run, or any recipe, as the text of a recipe file. */
  'recipes/format': { params: { recipe: Recipe }; result: { yaml: string } };
  'recipes/parse': { params: { yaml: string; file: string }; result: { recipe: Recipe } };
  /** Bytes and seconds, without starting anything. */
  'plan/make': { params: { recipe: Recipe }; result: PlanEstimate };
  /**
   * The loss of an analysed model without a drop set; estimates on the way come as runs/estimate. A newer question of the
   * same client and run ends the older one, which is answered with the error `superseded`. `$/cancelRequest` ends it, too:
   * then the error is RequestCancelled.
   */
  'runs/ask': { params: { runId: string; question: number; drop: DropSet }; result: Estimate };
  /** How much faster the model is without a drop set; a question like runs/ask, and superseded like one. */
  'runs/time': { params: { runId: string; drop: DropSet }; result: MeasuredSpeed };
  /** Model folders below the roots of this connection, two levels deep, and in the folders given. */
  'models/find': { params: { folders: string[] }; result: FoundModels };
  'models/inspect': { params: { folder: string }; result: ModelSummary };
  /** What there is to compute on, and what `auto` is; `measure`: anew, even where it is known. */
  'devices/list': { params: { measure: boolean }; result: DevicesReport };
  'server/status': { params: Record<string, never>; result: ServerFacts & { nClients: number; nActiveRuns: number } };
  /** Ends the server, and with it all runs, which become interrupted. */
  'server/stop': { params: Record<string, never>; result: null };
}

/** Notifications from the server, by method. Events are batched: at most 30 messages a second. */
export interface ServerNotifications {
  'runs/events': { runId: string; events: RunEvent[] };
  /** A run appeared, changed its state or went. */
  'runs/changed': { runs: RunSummary[]; deleted: string[] };
  'runs/estimate': { runId: string; question: number; estimate: Estimate };
}
