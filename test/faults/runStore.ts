// The runs of a server, with engines that do what they are told here: started, told events of, cancelled, resumed, ended and
// deleted, once without a fault and once for every call that can fail.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { Engine, OngoingEvent } from '../../server/engineClient/engine';
import { isUserError } from '../../server/errors';
import type { Outcome } from '../../server/protocol/engine';
import type * as Identities from '../../server/protocol/processIdentity';
import type { RunEvent } from '../../server/protocol/server';
import type { Recipe } from '../../server/recipes/kinds';
import type { Runs } from '../../server/runs/runs';
import { cannotRead } from '../../server/shared/systemErrors';
import { analyzeRecipe } from '../rpc/client';

const engines: { emit(event: OngoingEvent): void; end(outcome: Outcome): void }[] = [];

vi.doMock('../../server/engineClient/engine', () => ({ engineExists: () => true, startEngine: startEngineHere }));

/** Which boot of the machine it is. */
const boot = { n: 1 };
const placeHere = () => `boot ${boot.n}`;
vi.doMock('../../server/protocol/processIdentity', async (original) => {
  const actual = await original<typeof Identities>();
  return {
    ...actual,
    placeHere,
    isThisBoot: (place: string) => place === placeHere(),
    identityOf: (pid: number) => ({ ...actual.identityOf(pid), place: placeHere() }),
    standingOf: (identity: Identities.ProcessIdentity) => actual.standingOf(identity, placeHere()),
  };
});
const { openRuns } = await import('../../server/runs/runs');

function startEngineHere(_: Recipe, onEvent: (event: OngoingEvent) => void): Engine {
  let report: (outcome: Outcome) => void = () => {};
  const outcome = new Promise<Outcome>((resolve) => {
    report = resolve;
  });
  const stopped: Outcome = { kind: 'failed', code: 'cancelled', message: 'Cancelled; nothing was written.' };
  engines.push({ emit: onEvent, end: report });
  return { pid: 1, send() {}, cancel: () => report(stopped), outcome, ended: outcome.then(() => {}) };
}

/** What clients were told, and what was said to them instead. */
export interface Told {
  readonly accepted: Set<string>;
  readonly deleted: Set<string>;
  readonly events: Map<string, RunEvent[]>;
  readonly said: string[];
}

const ids = { first: '11111111-1111-4111-8111-111111111111', second: '22222222-2222-4222-8222-222222222222' };
const report = { kind: 'analyze' } as Extract<Outcome, { kind: 'done' }>['report'];
const settled = async () => {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** @param onTold called after each step, with all that was told by then */
export async function liveOn(data: string, onTold: (told: Told) => void = () => {}): Promise<Told> {
  const told: Told = { accepted: new Set(), deleted: new Set(), events: new Map(), said: [] };
  engines.length = 0;
  const trying = async (act: () => unknown) => {
    try {
      await act();
    } catch (thrown) {
      const error = cannotRead(thrown); // as a connection answers
      told.said.push(isUserError(error) ? error.message : `thrown: ${(error as Error).stack}`);
    }
    await settled();
    onTold(told);
  };
  let runs: Runs | null = null;
  await trying(() => {
    runs = openRuns(data, { onIdle() {}, log() {} }, async () => 'cpu');
    listen(runs, told);
  });
  if (runs) await script(runs, told, trying);
  return told;
}

function listen(runs: Runs, told: Told): void {
  runs.subscribe({
    onEvents(runId) {
      const seen = told.events.get(runId) ?? [];
      told.events.set(runId, [...seen, ...runs.eventsAfter(runId, seen.at(-1)?.seq ?? 0)]);
    },
    onChanged({ state, ...run }) {
      if (state === 'failed' && 'message' in run) told.said.push(String(run.message));
    },
    onDeleted() {},
  });
}

async function script(runs: Runs, told: Told, trying: (act: () => unknown) => Promise<void>): Promise<void> {
  const start = (runId: string) =>
    trying(() => {
      runs.start(runId, analyzeRecipe(), []);
      told.accepted.add(runId);
    });
  const emit = (...steps: string[]) =>
    trying(() => {
      for (const step of steps) engines.at(-1)?.emit({ kind: 'progress', step, fraction: 0.5 });
    });
  const done = () => trying(() => engines.at(-1)?.end({ kind: 'done', report }));
  await start(ids.first);
  await emit('load', 'score', 'write');
  await done();
  await start(ids.second);
  await emit('load', 'score');
  await trying(() => runs.cancel(ids.second));
  await trying(() => runs.resume(ids.second));
  await emit('load', 'score', 'write');
  await done();
  await trying(async () => {
    await runs.remove(ids.first);
    told.deleted.add(ids.first);
  });
  await trying(() => runs.end());
}

/** What the next server finds, and what of that is not as it was told. */
export const wrongAfter = (data: string, told: Told): string[] =>
  wrongIn(
    openRuns(data, { onIdle() {}, log() {} }, async () => 'cpu'),
    data,
    told,
  );

/**
 * The same where the machine went down, and every run that can is gone on with, so that new events have numbers. What came last,
 * and was not synced, may be lost; it is not said to be something else.
 */
export async function wrongAfterLoss(data: string, told: Told): Promise<string[]> {
  boot.n++;
  const runs = openRuns(data, { onIdle() {}, log() {} }, async () => 'cpu');
  for (const { runId, state } of runs.list()) {
    if (state === 'done') continue;
    try {
      runs.resume(runId);
    } catch {
      continue; // it was about to be made
    }
    await settled();
    for (const step of ['again', 'and on']) engines.at(-1)?.emit({ kind: 'progress', step, fraction: 0.5 });
    await settled();
  }
  const wrong = wrongIn(runs, data, told).filter((each) => !/event \d+ is lost/.test(each));
  await runs.end();
  return wrong;
}

function wrongIn(runs: Runs, data: string, told: Told): string[] {
  const wrong: string[] = [];
  const listed = runs.list();
  for (const runId of told.accepted)
    if (!told.deleted.has(runId) && !isDeleting(data, runId) && !listed.some((run) => run.runId === runId))
      wrong.push(`${runId} is not listed`);
  for (const run of listed) {
    if (run.kind === 'unknown' && !told.accepted.has(run.runId)) continue; // it was about to be made
    if (run.kind === 'unknown') wrong.push(`${run.runId} is lost: ${JSON.stringify(run)}`);
    else wrong.push(...wrongEvents(run.runId, runs.eventsAfter(run.runId, 0), told.events.get(run.runId) ?? []));
  }
  return wrong;
}

/** It was on its way to the trash. */
const isDeleting = (data: string, runId: string) => existsSync(join(data, 'trash', runId));

/** Numbers ascend; what a client was told under a number is what stands there, or is said to be lost. */
function wrongEvents(runId: string, found: readonly RunEvent[], told: readonly RunEvent[]): string[] {
  const numbers = found.map(({ seq }) => seq);
  const wrong = numbers.every((seq, i) => i === 0 || seq > numbers[i - 1]!) ? [] : [`${runId}: numbers ${numbers}`];
  for (const event of told) {
    const same = found.find(({ seq }) => seq === event.seq);
    if (!same) wrong.push(`${runId}: event ${event.seq} is lost`);
    else if (JSON.stringify(same) !== JSON.stringify(event)) wrong.push(`${runId}: event ${event.seq} is another`);
  }
  return wrong;
}

export function makeData(folder: string): string {
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true });
  return data;
}

/** Files that are not what they will be. */
export const partialsIn = (data: string): string[] =>
  readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.partial'));
