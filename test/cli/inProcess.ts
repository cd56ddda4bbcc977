// Runs the command line in this process, its engine included: as a user's program in all but the start of two processes, which
// is what nearly all of a short command's time goes into. What processes are for (exit codes as a shell sees them, signals,
// memory, the bundles) is tested with ./espalier, which has the same form.
import { format } from 'node:util';
import { vi } from 'vitest';
import type { Engine, OngoingEvent } from '../../server/engineClient/engine';
import { isUserError } from '../../server/errors';
import type { EngineEvent, Outcome } from '../../server/protocol/engine';
import type { Recipe } from '../../server/recipes/kinds';
import type { Ended } from './espalier';

vi.doMock('../../server/engineClient/engine', () => ({ startEngine: startEngineHere, engineExists: () => true }));
const { runCommandLine } = await import('../../server/cli/program');

/** @param cwd where the command is typed */
export async function espalier(args: readonly string[], cwd = process.cwd()): Promise<Ended> {
  const said = { stdout: '', stderr: '' };
  const before = process.cwd();
  const writes = (stream: 'stdout' | 'stderr') =>
    vi.spyOn(process[stream], 'write').mockImplementation((text: string | Uint8Array, ...rest: unknown[]) => {
      said[stream] += typeof text === 'string' ? text : Buffer.from(text).toString();
      for (const each of rest) if (typeof each === 'function') each();
      return true;
    });
  const prints = (method: 'log' | 'error', stream: 'stdout' | 'stderr') =>
    vi.spyOn(console, method).mockImplementation((...parts) => {
      said[stream] += `${format(...parts)}\n`;
    });
  const heard = [writes('stdout'), writes('stderr'), prints('log', 'stdout'), prints('error', 'stderr')];
  process.chdir(cwd);
  try {
    return { code: await runCommandLine(args), signal: null, ...said };
  } finally {
    process.chdir(before);
    for (const spy of heard) spy.mockRestore();
  }
}

/** An engine that is no process of its own. What goes in and out is JSON, as between processes. */
function startEngineHere(recipe: Recipe, onEvent: (event: OngoingEvent) => void): Engine {
  const ending = new AbortController();
  const outcome = carryOut(asJson(recipe), ending.signal, (event) => onEvent(asJson(event) as OngoingEvent));
  const ended = outcome.then(() => {});
  return { pid: process.pid, send: () => {}, cancel: () => ending.abort(), outcome: outcome.then(asJson), ended };
}

async function carryOut(recipe: Recipe, signal: AbortSignal, emit: (event: EngineEvent) => void): Promise<Outcome> {
  // Only what computes pays for it.
  const { runRecipe } = await import('../../server/recipes/runRecipe');
  const { withChosenWeights } = await import('../../server/plan/chosenWeights');
  try {
    const { recipe: chosen, why } = await withChosenWeights(recipe);
    return { kind: 'done', report: await runRecipe(chosen, { signal, emit, whyWeights: why }) };
  } catch (error) {
    if (isUserError(error)) return { kind: 'failed', code: error.code, message: error.message };
    const { message, stack } = error as Error;
    return { kind: 'failed', code: 'internal', message, ...(stack && { stack }) };
  }
}

const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
