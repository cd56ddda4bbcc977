// The engine as a child process: starts it with one recipe, passes on what it tells, says how it ended. Whoever starts an
// engine owns it; the engine in turn ends by itself when its owner is gone.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { removeAbandonedStages } from '../checkpoint/stagedFolder';
import type { EngineEvent, EngineRequest } from '../protocol/engine';
import type { Recipe } from '../recipes/kinds';
import type { Report } from '../protocol/reports';

export interface Engine {
  readonly pid: number | undefined;
  /** Does nothing once the engine is gone. */
  send(request: EngineRequest): void;
  /** Asks it to stop between two micro-batches, and kills it when it takes longer than `graceMs`. */
  cancel(graceMs: number): void;
  /** How the work came out; known while an engine that stays still lives. Never rejects. */
  readonly outcome: Promise<Outcome>;
  /** The process is gone. Never rejects. */
  readonly ended: Promise<void>;
}

export type Outcome =
  | { readonly kind: 'done'; readonly report: Report }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly stack?: string };

/** What the engine tells beside its outcome. */
export type ToldEvent = Exclude<EngineEvent, { kind: 'done' | 'failed' }>;

/** Our bundles lie side by side. */
const engineFile = () => join(__dirname, 'engine.cjs');

export function startEngine(recipe: Recipe, onEvent: (event: ToldEvent) => void): Engine {
  const child = fork(engineFile(), {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    execArgv: inspectorArguments(process.env.ESPALIER_ENGINE_INSPECT),
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000);
  });
  // A message that meets a dying engine is lost; the outcome says what became of it.
  const send = (request: EngineRequest) => void (child.connected && child.send(request, () => {}));

  let told: Outcome | null = null;
  let settle: (outcome: Outcome) => void;
  const outcome = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });
  child.on('message', (event: EngineEvent) => {
    if (event.kind === 'done' || event.kind === 'failed') {
      told = event;
      settle(event);
    } else onEvent(event);
  });
  const gone = new Promise<string>((resolve) => {
    child.on('error', (error) => child.pid === undefined && resolve(error.message));
    child.on('close', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  const ended = gone.then(async (how) => {
    // An engine that was killed in the middle of writing could not remove what it had begun.
    if ('out' in recipe && !told) await removeAbandonedStages(recipe.out);
    settle(death(how, stderr));
  });
  send({ kind: 'start', recipe });

  let cancelling = false;
  return {
    pid: child.pid,
    send,
    cancel(graceMs) {
      if (cancelling) return;
      cancelling = true;
      send({ kind: 'cancel' });
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      void gone.then(() => clearTimeout(timer));
    },
    outcome,
    ended,
  };
}

/** For a debugger: ESPALIER_ENGINE_INSPECT is the port on this machine on which the engine waits for one. */
const inspectorArguments = (port: string | undefined): string[] =>
  port && /^\d+$/.test(port) ? [`--inspect-brk=127.0.0.1:${port}`] : [];

/** What is said about an engine that ended without a word. */
function death(how: string, stderr: string): Outcome {
  if (how === 'SIGKILL')
    return {
      kind: 'failed',
      code: 'cannotFit',
      message:
        'The engine was killed from outside, most likely because memory ran out; use --memory streaming or fewer --tokens.',
    };
  const tail = stderr.trimEnd();
  return { kind: 'failed', code: 'internal', message: `The engine ended with ${how}.${tail && `\n${tail}`}` };
}
