// The engine as a child process: starts it with one recipe, passes on what it tells, and makes sure that it ends.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { removeAbandonedStages } from '../checkpoint/stagedFolder';
import { cancelled, type ErrorCode, UserError } from '../errors';
import type { EngineEvent, EngineRequest, Recipe, Report } from '../protocol';

/** How long a cancelled engine may take to tidy up before it is ended. */
const politeMs = 250;

/**
 * Carries a recipe out in an engine of its own. An interrupt (Ctrl-C) ends it at once and throws UserError('cancelled');
 * an engine
 * that is killed from outside throws UserError('cannotFit'), one that dies otherwise an Error with the end of what it wrote to stderr.
 */
export async function runInEngine<R extends Report>(recipe: Recipe, onEvent: (event: EngineEvent) => void): Promise<R> {
  const engine = fork(join(__dirname, 'engine.cjs'), {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  let stderr = '';
  engine.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000);
  });
  const send = (request: EngineRequest) => engine.connected && engine.send(request);
  let interrupted = false;
  const interrupt = () => {
    if (interrupted) return;
    interrupted = true;
    send({ kind: 'cancel' });
    setTimeout(() => engine.kill('SIGKILL'), politeMs).unref();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);

  try {
    let last: Extract<EngineEvent, { kind: 'done' | 'failed' }> | undefined;
    engine.on('message', (event: EngineEvent) => {
      if (event.kind === 'done' || event.kind === 'failed') last = event;
      else if (!interrupted) onEvent(event);
    });
    send({ kind: 'start', recipe });
    const ended = await new Promise<string>((resolve) =>
      engine.on('close', (code, signal) => resolve(signal ?? `code ${code}`)),
    );
    // An engine that was killed in the middle of writing could not remove what it had begun.
    if ((recipe.kind === 'prune' || recipe.kind === 'sparsify') && !last) await removeAbandonedStages(recipe.out);
    // An interrupt that came after the end of the work changes nothing any more.
    if (interrupted && last?.kind !== 'done') throw cancelled();
    if (last?.kind === 'done') return last.report as R;
    if (last && last.code !== 'internal') throw new UserError(last.code as ErrorCode, last.message);
    if (ended === 'SIGKILL')
      throw new UserError(
        'cannotFit',
        'The engine was killed from outside, most likely because memory ran out; use --memory streaming or fewer --tokens.',
      );
    throw new Error(
      last?.stack ?? last?.message ?? `The engine ended with ${ended}.${stderr && `\n${stderr.trimEnd()}`}`,
    );
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
