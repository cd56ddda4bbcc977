// The engine as a child process: starts it with one recipe, passes its events on, says how it ended. The process that
// starts an engine owns it; the engine ends by itself when its owner is gone.
import { removeAbandonedStages } from '../checkpoint/stagedFolder';
import { confined } from '../files/contained';
import { childExists, type Hindrance, startChild } from '../child/startChild';
import { type EngineEvent, type EngineRequest, isOutcome, type Outcome } from '../protocol/engine';
import type { Recipe } from '../recipes/kinds';
import * as terminal from '../terminal';

export interface Engine {
  readonly pid: number | undefined;
  /** Does nothing once the engine is gone. */
  send(request: EngineRequest): void;
  /** Asks it to stop between two micro-batches, and kills it when it takes longer than `graceMs`. */
  cancel(graceMs: number): void;
  /** How the work ended; a warm engine lives on after it. Never rejects. */
  readonly outcome: Promise<Outcome>;
  /** The process is gone. Never rejects. */
  readonly ended: Promise<void>;
}

/** What the engine emits beside its outcome. */
export type OngoingEvent = Exclude<EngineEvent, Outcome>;

/** False where an update has removed the folder of this program. */
export const engineExists = (): boolean => childExists('engine');

/**
 * @param roots resolved folders below which the recipe's paths have to lie when they are used; null: anywhere
 * @param hubToken see EngineRequest: it goes by the connection between the two processes, where nobody else reads
 */
export function startEngine(
  recipe: Recipe,
  onEvent: (event: OngoingEvent) => void,
  roots: readonly string[] | null = null,
  hubToken: string | null = null,
): Engine {
  const execArgv = inspectorArguments(process.env.ESPALIER_ENGINE_INSPECT);
  const started = startChild({ name: 'engine', execArgv }, (text) => {
    if (process.env.ESPALIER_TRACE) terminal.stderr.write(text);
  });
  if ('hindrance' in started) return notStarted(started.hindrance);
  const { child, said } = started;
  // A message to a dying engine is lost; the outcome says how the engine ended.
  const send = (request: EngineRequest) => void (child.connected && child.send(request, () => {}));

  let reported: Outcome | null = null;
  let settle: (outcome: Outcome) => void;
  const outcome = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });
  child.on('message', (event: EngineEvent) => {
    if (isOutcome(event)) {
      reported = event;
      settle(event);
    } else onEvent(event);
  });
  const gone = new Promise<string>((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  const ended = gone.then(async (how) => {
    // An engine that was killed in the middle of writing could not remove what it had begun.
    if ('out' in recipe && !reported) await confined(roots, () => removeAbandonedStages(recipe.out));
    settle(death(how, said()));
  });
  send({ kind: 'start', recipe, roots, hubToken });

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

/** What keeps a process from being started ends one run, and nothing else. */
function notStarted(hindrance: Promise<Hindrance>): Engine {
  const outcome = hindrance.then((why): Outcome => ({ kind: 'failed', ...why }));
  return { pid: undefined, send() {}, cancel() {}, outcome, ended: outcome.then(() => {}) };
}

/** For a debugger: ESPALIER_ENGINE_INSPECT is the port on this machine on which the engine waits for one. */
const inspectorArguments = (port: string | undefined): string[] =>
  port && /^\d+$/.test(port) ? [`--inspect-brk=127.0.0.1:${port}`] : [];

/** The outcome of an engine that ended without reporting one. */
function death(how: string, said: string): Outcome {
  if (how === 'SIGKILL')
    return {
      kind: 'failed',
      code: 'cannotFit',
      message:
        'The engine was killed from outside, most likely because memory ran out; use --memory streaming or fewer --tokens.',
    };
  if (/heap out of memory|Reached heap limit/.test(said))
    return {
      kind: 'failed',
      code: 'cannotFit',
      message:
        'The engine ran out of memory for what it read; use smaller files of data, or fewer items, or give Node more (NODE_OPTIONS=--max-old-space-size=MEGABYTES).',
    };
  const panic = /^thread .* panicked at [^\n]*\n(.*)/m.exec(said);
  if (panic)
    return {
      kind: 'failed',
      code: 'damagedCheckpoint',
      message: `The model's tokenizer.json cannot be used: Hugging Face's library gave up with "${panic[1]}"; download the folder's tokenizer files again, or repair that part.`,
    };
  const tail = said.trimEnd();
  return { kind: 'failed', code: 'internal', message: `The engine ended with ${how}.${tail && `\n${tail}`}` };
}
