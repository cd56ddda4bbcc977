// One attempt of a run: an engine that works on its recipe, and whose events become events of the run's life.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Engine, type OngoingEvent, startEngine } from '../engineClient/engine';
import { isWorkEvent, type WorkEvent } from '../protocol/engine';
import type { Recipe } from '../recipes/kinds';
import { cannotRead } from '../shared/systemErrors';
import { paceEvents } from './pacing';
import type { RunLifeEvent } from './runLife';

export interface Attempt {
  readonly engine: Engine;
  /** What the engine works on. */
  readonly recipe: Recipe;
  /** Receives the events of an engine that was kept warm. */
  onWarmEvent: ((event: OngoingEvent) => void) | null;
  /** The engine is gone, and its end has been emitted. Never rejects. */
  readonly over: Promise<void>;
}

/** @param roots and the token: see startEngine */
export function startAttempt(
  recipe: Recipe,
  roots: readonly string[],
  hubToken: string | null,
  emit: (event: RunLifeEvent, attempt: Attempt) => void,
): Attempt {
  const progressOf = progressReader();
  const pacing = paceEvents((event) => emit({ kind: 'emitted', event, progress: progressOf(event) }, attempt));
  const onEvent = (event: OngoingEvent) => {
    if (attempt.onWarmEvent) attempt.onWarmEvent(event);
    else if (isWorkEvent(event)) pacing.push(event);
    else if (event.kind === 'paused') {
      pacing.flush();
      emit({ kind: event.paused ? 'paused' : 'continued' }, attempt);
    }
  };
  const engine = startEngine(recipe, onEvent, roots, hubToken);
  const end = async () => {
    const outcome = await engine.outcome;
    pacing.flush();
    const staysWarm = outcome.kind === 'done' && recipe.kind === 'analyze' && recipe.stay;
    emit({ kind: 'outcome', outcome, staysWarm }, attempt);
    await engine.ended;
    emit({ kind: 'engineGone' }, attempt);
  };
  // The engine's messages come later than this.
  const attempt: Attempt = { engine, recipe, onWarmEvent: null, over: end() };
  return attempt;
}

/** A healing goes on from what its last attempt saved; one that saved nothing begins anew. */
export const resumed = (recipe: Recipe): Recipe =>
  recipe.kind === 'heal' ? { ...recipe, resume: recipe.resume || isBegun(join(recipe.out, 'run')) } : recipe;

/** Throws UserError('cannotRead') where the system does not say: a run that is there is not begun anew. */
function isBegun(run: string): boolean {
  try {
    return statSync(run, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw cannotRead(error, run);
  }
}

/** Reads the progress of a run from its events: emitted as such, or counted in the steps of a healing. */
export function progressReader(): (event: WorkEvent) => { step: string; fraction: number } | null {
  let nSteps = 0;
  return (event) => {
    if (event.kind === 'progress') return { step: event.step, fraction: event.fraction };
    if (event.kind === 'healing') nSteps = event.steps;
    if (event.kind !== 'step' || nSteps === 0) return null;
    return { step: 'train', fraction: Math.min(1, (event.step.step + 1) / nSteps) };
  };
}
