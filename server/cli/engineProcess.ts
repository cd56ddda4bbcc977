// One recipe in an engine of its own, for a command: an interrupt ends it, and its outcome becomes a report or an error.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startEngine } from '../engineClient/engine';
import { cancelled, type ErrorCode, publishEnded, pullEnded, stepsEnded, UserError } from '../errors';
import type { EngineEvent } from '../protocol/engine';
import type { Recipe, Report } from '../recipes/kinds';
import { onEnding } from './endings';

/** How long a cancelled engine may take to tidy up before it is ended. */
const politeMs = 250;

/**
 * Carries a recipe out. An interrupt (Ctrl-C, or another signal that asks for the end) ends it at once and throws UserError('cancelled'); an engine that is killed
 * from outside throws UserError('cannotFit'), one that dies otherwise an Error with the end of what it wrote to stderr.
 */
export async function runInEngine<R extends Report>(recipe: Recipe, onEvent: (event: EngineEvent) => void): Promise<R> {
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    engine.cancel(politeMs);
  };
  // Before the engine is there, so that there is no moment at which an interrupt ends this process alone.
  const unlisten = onEnding(interrupt);
  const engine = startEngine(recipe, (event) => {
    if (!interrupted) onEvent(event);
  });
  try {
    const outcome = await engine.outcome;
    await engine.ended;
    // An interrupt that came after the end of the work changes nothing any more.
    if (outcome.kind === 'done') return outcome.report as R;
    if (interrupted) throw begun(recipe) ?? cancelled();
    if (outcome.code !== 'internal') throw new UserError(outcome.code as ErrorCode, outcome.message);
    throw new Error(outcome.stack ?? outcome.message);
  } finally {
    unlisten();
  }
}

/** A healing, a study, a pull and a publishing keep what they have, and are not said to have written nothing. */
function begun(recipe: Recipe): UserError | null {
  if (recipe.kind === 'heal' && existsSync(join(recipe.out, 'run')))
    return new UserError(
      'cancelled',
      `Cancelled; the run in ${recipe.out} goes on from its last saved state with --resume.`,
    );
  const isInSteps = recipe.kind === 'study' || recipe.kind === 'pipeline';
  if (isInSteps && existsSync(join(recipe.out, `${recipe.kind}.json`))) return stepsEnded(recipe.kind, recipe.out);
  if (recipe.kind === 'pull') return pullEnded();
  if (recipe.kind === 'publish') return publishEnded();
  return null;
}
