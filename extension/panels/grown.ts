// A run as it stands after one more event. Events that the run has seen already, as they are replayed, change nothing.
import type { RunEvent, RunSummary } from '../../server/protocol/server';

export function grown(run: RunSummary, { event, seq }: RunEvent): RunSummary {
  if (seq <= run.lastSeq) return run;
  if (event.kind === 'state') return { ...run, ...event.state, lastSeq: seq } as RunSummary;
  if (event.kind === 'progress')
    return { ...run, state: 'running', step: event.step, fraction: event.fraction, lastSeq: seq } as RunSummary;
  return { ...run, lastSeq: seq };
}
