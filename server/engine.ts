// The engine process: does one recipe, told and telling over IPC, and ends. It is a process of its own because a run of
// onnxruntime blocks the event loop, and because killing a process is the one sure way to stop one.
import { isUserError } from './errors';
import type { EngineEvent, EngineRequest } from './protocol';
import { runRecipe } from './recipes/run';

const abort = new AbortController();
// The engine never outlives whoever started it.
process.on('disconnect', () => process.exit(1));
process.on('message', (request: EngineRequest) => {
  if (request.kind === 'cancel') abort.abort();
  else if (request.kind === 'start') void start(request.recipe);
});
// Ctrl-C reaches the whole process group; the starter decides what it means.
process.on('SIGINT', () => {});

async function start(recipe: Extract<EngineRequest, { kind: 'start' }>['recipe']): Promise<void> {
  const run = { signal: abort.signal, emit: (event: EngineEvent) => void process.send!(event) };
  let last: EngineEvent;
  try {
    last = { kind: 'done', report: await runRecipe(recipe, run) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    last = isUserError(error)
      ? { kind: 'failed', code: error.code, message }
      : {
          kind: 'failed',
          code: 'internal',
          message,
          ...(error instanceof Error && error.stack && { stack: error.stack }),
        };
  }
  // A device's own threads may still be alive; the message is out, so end without asking them.
  process.send!(last, () => process.exit(0));
}
