// The engine process: takes requests and sends events over IPC. It carries out one recipe and ends; or it stays and answers
// questions, where the recipe says so. It is a process of its own because a run of onnxruntime blocks the event loop, and because killing a process is
// the one sure way to stop one.
import { watchOwner } from './child/ownerWatch';
import { isUserError } from './errors';
import { confined } from './files/contained';
import type { EngineEvent, EngineRequest, RunControl } from './protocol/engine';
import { endingSignals } from './shared/endingSignals';
import { checkFinite } from './shared/finite';
import { planOnThisMachine, withChosenWeights } from './plan/chosenWeights';
import { runRecipe } from './recipes/runRecipe';
import type { Answers, Run } from './recipes/recipeContext';

const abort = new AbortController();
/** The one way out of the process: an empty number would arrive in the place of one that is not finite. */
const emit = (event: EngineEvent): void => {
  if (event.kind !== 'progress') checkFinite(event);
  process.send!(event);
};
let questions: ReturnType<typeof answering> | null = null;
const controls = listening();

watchOwner({ owner: Number(process.argv[2]) || process.ppid });
process.on('message', (request: EngineRequest) => {
  if (request.kind === 'cancel') abort.abort();
  else if (request.kind === 'start') void start(request);
  else if (request.kind === 'control') controls.act(request.action);
  else if (request.kind === 'withdraw') questions?.withdraw(request.question);
  else if (questions) questions.ask(request);
  else
    emit({ kind: 'refused', question: request.question, code: 'usage', message: 'There is no analysis to ask yet.' });
});
// Ctrl-C and the end of a terminal reach the whole process group; the starter decides what they mean. Who asks this process
// alone to end is obeyed in the same orderly way.
for (const signal of endingSignals) process.on(signal, () => signal === 'SIGTERM' && abort.abort());

async function start({ recipe, roots, hubToken }: Extract<EngineRequest, { kind: 'start' }>): Promise<void> {
  let last: EngineEvent | null = null;
  let isReported = false;
  try {
    const run: Run = {
      signal: abort.signal,
      hubToken,
      emit,
      onControl: controls.listen,
      ofStep: { plan: planOnThisMachine, withChosenWeights },
      async stay(done, answers) {
        emit({ kind: 'done', report: done });
        isReported = true;
        questions = answering(answers);
        await questions.over;
      },
    };
    const report = await confined(roots, async () => {
      const chosen = await withChosenWeights(recipe);
      return runRecipe(chosen.recipe, { ...run, whyWeights: chosen.why });
    });
    last = { kind: 'done', report };
    checkFinite(last);
  } catch (error) {
    last = { kind: 'failed', ...failure(error) };
  }
  // A device's own threads may still be alive; the message is out, so end without asking them.
  if (isReported) process.exit(0);
  process.send!(last, () => process.exit(0));
}

/** Actions that come before the recipe listens wait for it. */
function listening() {
  let pending: RunControl[] = [];
  let onAction: (action: RunControl) => void = (action) => void pending.push(action);
  return {
    act: (action: RunControl) => onAction(action),
    listen(listener: (action: RunControl) => void) {
      onAction = listener;
      for (const action of pending) listener(action);
      pending = [];
    },
  };
}

/** One question at a time: a newer one ends the work on an older one, which is refused as superseded. */
function answering(answers: Answers) {
  let current = { question: -1, abort: new AbortController(), done: Promise.resolve() };
  const over = new Promise<void>((resolve) => {
    if (abort.signal.aborted) resolve();
    abort.signal.addEventListener('abort', () => {
      current.abort.abort();
      void current.done.then(resolve);
    });
  });
  return {
    over,
    ask({ kind, question, drop }: Extract<EngineRequest, { kind: 'ask' | 'time' }>) {
      const before = current;
      before.abort.abort();
      const mine = new AbortController();
      const work = async () => {
        await before.done;
        try {
          if (kind === 'time') emit({ kind: 'timed', question, speed: await answers.speed(drop, mine.signal) });
          else await answers.loss(drop, mine.signal, (estimate) => emit({ kind: 'estimate', question, estimate }));
        } catch (error) {
          const { code, message } = failure(error);
          if (code === 'cancelled')
            emit({ kind: 'refused', question, code: 'superseded', message: 'A newer question came.' });
          else emit({ kind: 'refused', question, code, message });
        }
      };
      current = { question, abort: mine, done: work() };
    },
    withdraw(question: number) {
      if (current.question === question) current.abort.abort();
    },
  };
}

function failure(error: unknown): { code: string; message: string; stack?: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (isUserError(error)) return { code: error.code, message };
  return { code: 'internal', message, ...(error instanceof Error && error.stack && { stack: error.stack }) };
}
