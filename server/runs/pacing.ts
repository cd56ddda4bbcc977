// An engine tells its progress after every micro-batch and its text token by token. A run keeps a few of those a second:
// of progress the newest, of text all, joined. What else happens is kept as it comes, behind what came before it: every
// step of a healing is a point of its curve.
import type { ToldEvent } from '../engineClient/engine';
import type { AnswerEvent } from './conversation';

export type PacedEvent = Exclude<ToldEvent, AnswerEvent | { kind: 'paused' }>;

const pauseMs = { progress: 250, text: 50 };

export interface Pacing {
  push(event: PacedEvent): void;
  /** Writes what is held back, and ends the timer. */
  flush(): void;
}

export function paceEvents(write: (event: PacedEvent) => void): Pacing {
  let held: Extract<PacedEvent, { kind: 'progress' | 'text' }> | null = null;
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
      if (event.kind !== 'progress' && event.kind !== 'text') {
        flush();
        write(event);
        return;
      }
      if (held && (held.kind !== event.kind || (held.kind === 'progress' && held.step !== (event as typeof held).step)))
        flush();
      held = event.kind === 'text' && held?.kind === 'text' ? { kind: 'text', text: held.text + event.text } : event;
      const isNewStep = event.kind === 'progress' && event.step !== lastStep;
      if (event.kind === 'progress') lastStep = event.step;
      const dueMs = isNewStep ? 0 : lastAtMs + pauseMs[event.kind] - performance.now();
      if (dueMs <= 0) flush();
      else timer ??= setTimeout(flush, dueMs);
    },
    flush,
  };
}
