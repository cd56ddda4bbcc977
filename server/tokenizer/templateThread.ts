// jinja2 itself, in Python in WebAssembly, in a thread of its own: so a template that does not end can be ended, and what
// Python needs (some 120 MB) goes back soon after the last use. Files of the thread lie in jinja/.
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as z from 'zod';
import { writeExactJson } from '../shared/exactJson';

export interface RenderRequest {
  readonly source: string;
  /** What every job's template sees beside its own. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly jobs: readonly RenderJob[];
}

export interface RenderJob {
  readonly messages: readonly unknown[];
  /** null: none are there to be called. */
  readonly tools: unknown;
  readonly addGenerationPrompt: boolean;
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * `generated`: half-open ranges of UTF-16 units between {% generation %} and its end. `error`: the template refuses the
 * messages, or fails on them. `syntax`: it is no template.
 */
export type Rendered =
  | { readonly text: string; readonly generated: readonly (readonly [number, number])[] }
  | { readonly error: string }
  | { readonly syntax: string };

/** A template takes a millisecond or so; one that takes so long does not end. */
const limitMs = 20_000;
const memoryBytes = 512 * 2 ** 20;
const idleMs = 3_000;

let thread: Thread | null = null;

/** What each job gives. Requests are done in their order. `within`: the time for all jobs together, in milliseconds. */
export function renderJobs(request: RenderRequest, within = limitMs): Promise<Rendered[]> {
  thread ??= startThread(() => {
    thread = null;
  });
  return thread.render(request, within);
}

interface Thread {
  render(request: RenderRequest, within: number): Promise<Rendered[]>;
}

const rendered = z.array(
  z.union([
    z.object({ text: z.string(), generated: z.array(z.tuple([z.number(), z.number()])) }),
    z.object({ error: z.string() }),
    z.object({ syntax: z.string() }),
  ]),
);
const answer = z.object({ results: z.string() });

interface Pending {
  readonly within: number;
  readonly nJobs: number;
  resolve(results: Rendered[]): void;
  reject(cause: Error): void;
}

/** Ends by itself when nothing was asked for a while, and does not keep the process alive. */
function startThread(onEnd: () => void): Thread {
  const folder = join(__dirname, 'jinja');
  // Neither our flags nor our environment: the thread needs none.
  const worker = new Worker(join(folder, 'worker.mjs'), { workerData: { folder, memoryBytes }, execArgv: [], env: {} });
  // What was asked, in order; the first is being done.
  const pending: Pending[] = [];
  let isReady = false;
  let timer: NodeJS.Timeout | undefined;

  let hasEnded = false;
  const end = (cause: Error) => {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(timer);
    onEnd();
    void worker.terminate();
    for (const { reject } of pending.splice(0)) reject(cause);
  };
  /** The time of the first one runs from when it is begun. */
  const wait = () => {
    clearTimeout(timer);
    const [first] = pending;
    if (first) {
      worker.ref();
      if (isReady) timer = setTimeout(() => giveUp(first), first.within);
      return;
    }
    worker.unref();
    timer = setTimeout(() => end(new Error('the thread of chat templates was not needed any more')), idleMs).unref();
  };
  const giveUp = ({ within, nJobs, resolve }: Pending) => {
    pending.shift();
    resolve(Array.from({ length: nJobs }, () => ({ error: `it does not end within ${within / 1000} s` })));
    end(new Error('an earlier template did not end'));
  };
  worker.on('error', end);
  worker.on('exit', () => end(new Error('the thread of chat templates ended')));
  worker.on('message', (message: unknown) => {
    if (isReady) pending.shift()?.resolve(rendered.parse(JSON.parse(answer.parse(message).results)));
    isReady = true;
    wait();
  });
  return {
    render: (request, within) =>
      new Promise((resolve, reject) => {
        pending.push({ within, nJobs: request.jobs.length, resolve, reject });
        if (pending.length === 1) wait();
        worker.postMessage(writeExactJson(request));
      }),
  };
}
