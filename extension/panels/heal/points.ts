// The points of a healing's curve, as its events bring them, and how they are handed on to the page: in pieces of a fair
// size, one with each beat, so that a long curve does not hold up the page.
import type { Disposable } from 'vscode';
import type { HealPoints } from '../../../server/protocol/pages/heal';
import type { RunEvent } from '../../../server/protocol/server';

const mostAtOnce = 10_000;
const beatEveryMs = 100;

export interface Points {
  append(events: readonly RunEvent[]): void;
  /** A page that opens has nothing yet. */
  rewind(): void;
  /** What has not been handed on yet; null: nothing. */
  next(): HealPoints | null;
}

export function openPoints(): Points {
  const steps: Extract<RunEvent['event'], { kind: 'step' }>[] = [];
  const evals: HealPoints['evals'] = [];
  let sent = { steps: 0, evals: 0 };
  return {
    append(events) {
      for (const { event } of events) {
        if (event.kind === 'step') steps.push(event);
        if (event.kind === 'evaluation') evals.push(event.evaluation);
      }
    },
    rewind() {
      sent = { steps: 0, evals: 0 };
    },
    next() {
      if (sent.steps === steps.length && sent.evals === evals.length) return null;
      const part = steps.slice(sent.steps, sent.steps + mostAtOnce);
      const isLast = sent.steps + part.length === steps.length;
      const evaluations = isLast ? evals.slice(sent.evals) : [];
      sent = { steps: sent.steps + part.length, evals: sent.evals + evaluations.length };
      const column = (name: 'lossNats' | 'gradNorm' | 'learningRate' | 'tokensPerSecond') =>
        part.map(({ step }) => step[name]);
      return {
        step: part.map(({ step }) => step.step),
        lossNats: column('lossNats'),
        gradNorm: column('gradNorm'),
        learningRate: column('learningRate'),
        tokensPerSecond: column('tokensPerSecond'),
        memoryBytes: part.map(({ memoryBytes }) => memoryBytes),
        evals: evaluations,
      };
    },
  };
}

export interface PointSender extends Disposable {
  /** With the next beat. */
  soon(): void;
  now(): void;
}

/** @param next what is to be sent; null: nothing for now */
export function openPointSender(next: () => HealPoints | null, send: (points: HealPoints) => void): PointSender {
  let timer: NodeJS.Timeout | null = null;
  const beat = () => {
    if (timer) clearTimeout(timer);
    timer = null;
    const points = next();
    if (!points) return;
    send(points);
    timer = setTimeout(beat, beatEveryMs);
  };
  return {
    soon() {
      timer ??= setTimeout(beat, beatEveryMs);
    },
    now: beat,
    dispose() {
      if (timer) clearTimeout(timer);
    },
  };
}
