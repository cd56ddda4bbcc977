// What the conversations of all pages with the extension host have in common: JSON-RPC over postMessage. A page knows
// neither port nor token. Each page declares what is its own in the file beside this one. Types only.
import type { RunSummary } from '../server';

/** One page's conversation: its name, what it shows, and what both sides say. */
export interface PageProtocol {
  name: string;
  /** All that the page shows; the answer to page/open. */
  state: unknown;
  /** What the window keeps, so that a reload brings the page back. */
  memory: object;
  /** From the page to the host. */
  requests: Record<string, { params: unknown; result: unknown }>;
  /** From the host to the page. At most 30 messages a second. */
  notifications: Record<string, unknown>;
}

/** What every page may ask besides its own requests. */
export type CommonRequests<P extends PageProtocol> = {
  /** The page is ready; the answer is everything it shows. */
  'page/open': { params: Record<string, never>; result: { page: P['name']; state: P['state'] } };
  'text/copy': { params: { text: string }; result: null };
  'log/open': { params: Record<string, never>; result: null };
  'server/restart': { params: Record<string, never>; result: null };
};

/** What pages with runs ask, each as many of these as it needs. */
export type RunRequests = {
  'run/cancel': { params: { runId: string }; result: null };
  /** Starts a failed, cancelled or interrupted run again. */
  'run/resume': { params: { runId: string }; result: null };
  'run/open': { params: { runId: string }; result: null };
  'model/try': { params: { folder: string }; result: null };
};

/** From every page to the host, unanswered. */
export interface PageNotifications {
  'page/painted': { atEpochMs: number; scriptMs: number };
  'page/violation': { directive: string; blocked: string; source: string };
  'page/error': { message: string; stack: string };
}

export type RequestsOf<P extends PageProtocol> = CommonRequests<P> & P['requests'];

export type ParamsOf<P extends PageProtocol, M extends keyof RequestsOf<P>> = RequestsOf<P>[M] extends {
  params: infer Params;
}
  ? Params
  : never;

export type ResultOf<P extends PageProtocol, M extends keyof RequestsOf<P>> = RequestsOf<P>[M] extends {
  result: infer Result;
}
  ? Result
  : never;

/** What the window keeps of a page; `page` says whose it is. */
export type MemoryOf<P extends PageProtocol> = { page: P['name'] } & P['memory'];

/** A run that writes a folder, and which one. */
export interface WritingRun {
  run: RunSummary;
  out: string;
}

export type ConnectionState =
  | { state: 'starting' }
  | { state: 'connected' }
  | { state: 'reconnecting'; attempt: number }
  | { state: 'stopped' }
  | { state: 'failed'; message: string };
