// What servers of other hosts or containers do with the runs of a folder that they share with this one: their runs are in the
// list, with the host, and are followed in their logs. One whose server gives no sign of life is interrupted, for whoever
// wants to resume it; nothing is written to it before.
import { setImmediate as untilOthersHadTheirTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { RunEvent, RunState } from '../protocol/server';
import { progressReader } from './attempt';
import type { Dispatch, RunParts, RunReporting } from './effects';
import type { Owner } from './owners';
import { isActive, runStateOf, type Seen } from './runLife';
import { isAtWorkHere, newRun, type Run, summaryOf } from './runTable';
import type { RunRecord } from './storedRun';

/** How a run is seen that is active on disk and another server's. */
export const elsewhere = ({ host, lives }: Owner, state: RunState): Seen => ({
  state: 'elsewhere',
  host,
  seenAs: lives ? state : { state: 'interrupted' },
});

export function openNeighbours(parts: RunParts, dispatch: Dispatch, log: RunReporting['log']) {
  const { owners } = parts;
  let hadNeighbours = false;
  let looking = false;
  const lookAtAll = async () => {
    const ids = new Set(parts.store.ids());
    for (const runId of ids) {
      await untilOthersHadTheirTurn();
      look(parts, runId, dispatch);
    }
    for (const { runId } of parts.table.all()) if (!ids.has(runId)) forgetDeleted(parts, runId);
  };
  return {
    async look(): Promise<void> {
      const hasNeighbours = owners.hasNeighbours() || parts.table.all().some(({ life }) => life.state === 'elsewhere');
      // Once more after the last one has left, for what it did before.
      const isDue = (hasNeighbours || hadNeighbours) && !looking;
      hadNeighbours = hasNeighbours;
      if (!isDue) return;
      looking = true;
      // What cannot be looked at now, as while too many files are open, is looked at the next time.
      await lookAtAll().catch((error) => log(`looking at runs of other hosts: ${error}`));
      looking = false;
    },
  };
}

/** Brings the run of this id, whether it was known or not, to what is on disk. */
export function look(parts: RunParts, runId: string, dispatch: Dispatch): void {
  const { store, table, owners } = parts;
  const known = table.get(runId);
  if (known && isAtWorkHere(known)) return;
  const stamp = store.stampOf(runId);
  if (stamp === null || (known?.stamp === stamp && known.life.state !== 'elsewhere')) return;
  const found = store.find(runId);
  if (found.kind !== 'whole') return; // it is being made, or the next server restores it
  const { record } = found.stored;
  // Asked after the state was read: who has ended a run writes that first.
  const other = isActive(record.state) ? owners.otherOf(runId) : null;
  if (isActive(record.state) && !other) return; // it is being taken, or ends
  const run = known ?? newRun(found.stored, { state: 'interrupted' });
  const before = known ? summaryOf(known) : null;
  run.stamp = stamp;
  const life = seen(parts, run, found.stored.record, other);
  table.add(run);
  if (before && isDeepStrictEqual(summaryOf({ ...run, life }), before)) return;
  dispatch(run, { kind: 'seen', life });
  if (run.record.lastSeq !== before?.lastSeq) for (const subscriber of parts.subscribers) subscriber.onEvents(runId);
}

/** Takes over what is on disk of a run, and says what its life is by that. */
function seen({ store }: RunParts, run: Run, record: RunRecord, other: Owner | null): Seen {
  store.ended.forget(run.runId);
  const tail = other ? (run.tail ?? { events: [], nBytes: 0 }) : null;
  if (tail) store.readFurther(run.runId, tail);
  const life = other && tail ? elsewhere(other, newestState(tail.events, record.state)) : (record.state as Seen);
  run.tail = tail;
  Object.assign(run.record, record, { state: runStateOf(life), lastSeq: tail?.events.at(-1)?.seq ?? record.lastSeq });
  return life;
}

/** A server saves the state of a run when it becomes another one; how far the work is, its events say. */
function newestState(events: readonly RunEvent[], saved: RunState): RunState {
  const progressOf = progressReader();
  let state = saved;
  for (const { event } of events) {
    if (event.kind === 'state') state = event.state;
    else if (event.kind !== 'reported') {
      const progress = progressOf(event);
      if (progress && state.state === 'running') state = { ...state, ...progress };
    }
  }
  return state;
}

function forgetDeleted({ table, store, subscribers }: RunParts, runId: string): void {
  const run = table.get(runId);
  if (!run || isAtWorkHere(run) || store.has(runId)) return;
  table.remove(runId);
  for (const subscriber of subscribers) subscriber.onDeleted(runId);
}
