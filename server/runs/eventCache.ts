// The events of runs that have ended, as they were read from their logs: of those that somebody follows or looks at, not of all.
// A long log is read in turns, so that the server answers meanwhile.
import type { RunEvent } from '../protocol/server';
import { readEvents, readEventsInTurns } from './eventLog';
import { givenBy } from './eventNumbers';
import type { StoredRun } from './storedRun';

/** Of all runs together, but for the newest one. */
const mostEvents = 200_000;
const mostRuns = 16;

export type EventCache = ReturnType<typeof openEventCache>;

export function openEventCache(logOf: (runId: string) => string) {
  /** The one that was used last is the last one. */
  const read = new Map<string, RunEvent[]>();
  const loading = new Map<string, Promise<void>>();

  const keep = (runId: string, events: RunEvent[]): RunEvent[] => {
    read.delete(runId);
    read.set(runId, events);
    const nEvents = () => [...read.values()].reduce((sum, each) => sum + each.length, 0);
    while (read.size > 1 && (read.size > mostRuns || nEvents() > mostEvents)) read.delete(read.keys().next().value!);
    return events;
  };
  /** null: they have to be loaded. */
  const known = (runId: string): RunEvent[] | null => {
    const events = read.get(runId);
    return events ? keep(runId, events) : null;
  };
  const load = ({ runId, record }: StoredRun): Promise<void> => {
    const underway = loading.get(runId);
    if (underway) return underway;
    const isWanted = () => loading.get(runId) === mine;
    const mine = readEventsInTurns(logOf(runId), givenBy(record), isWanted)
      .then((events) => void (events && keep(runId, events)))
      .finally(() => {
        if (isWanted()) loading.delete(runId);
      });
    loading.set(runId, mine);
    return mine;
  };
  return {
    known,
    /** Throws as the file system does. */
    load,
    /** At once, whatever it takes. */
    events: ({ runId, record }: StoredRun): RunEvent[] =>
      known(runId) ?? keep(runId, readEvents(logOf(runId), givenBy(record))),
    /** To be called when a run is written to, deleted or repaired. */
    forget(runId: string): void {
      read.delete(runId);
      loading.delete(runId);
    },
  };
}
