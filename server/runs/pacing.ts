// An engine emits its progress after every micro-batch and its text token by token. A run keeps a few of those events a
// second: of progress the newest, of text all, joined. Every other event is kept as it comes, after those emitted before it.
// Which kinds are paced, and how, is in the rows of `engineEvents`.
import { engineEvents, isPacedEvent, type PacedEvent, type WorkEvent } from '../protocol/engine';

export interface Pacing {
  push(event: WorkEvent): void;
  /** Writes what is held back, and ends the timer. */
  flush(): void;
}

export function paceEvents(write: (event: WorkEvent) => void): Pacing {
  let held: PacedEvent | null = null;
  let timer: NodeJS.Timeout | null = null;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  let lastStep: string | null = null;

  const flush = () => {
    if (timer) clearTimeout(timer);
    timer = null;
    if (!held) return;
    const event = held;
    held = null;
    lastAtMs = performance.now();
    write(event);
  };
  return {
    push(event) {
      if (!isPacedEvent(event)) {
        flush();
        write(event);
        return;
      }
      if (held && !isSameSeries(held, event)) flush();
      held = held && engineEvents[event.kind].paced.keep === 'joined' ? joined(held, event) : event;
      const isNewStep = event.kind === 'progress' && event.step !== lastStep;
      if (event.kind === 'progress') lastStep = event.step;
      const dueMs = isNewStep ? 0 : lastAtMs + engineEvents[event.kind].paced.everyMs - performance.now();
      if (dueMs <= 0) flush();
      else timer ??= setTimeout(flush, dueMs);
    },
    flush,
  };
}

/** Whether the newer event may take the place of the older one. */
const isSameSeries = (older: PacedEvent, newer: PacedEvent): boolean =>
  older.kind === newer.kind && (older.kind !== 'progress' || older.step === (newer as typeof older).step);

const joined = (older: PacedEvent, newer: PacedEvent): PacedEvent =>
  older.kind === 'text' && newer.kind === 'text' ? { kind: 'text', text: older.text + newer.text } : newer;
