// Which events of an engine a run keeps.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WorkEvent } from '../../server/protocol/engine';
import { paceEvents } from '../../server/runs/pacing';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const progress = (fraction: number, step = 'a'): WorkEvent => ({ kind: 'progress', step, fraction });
const text = (text: string): WorkEvent => ({ kind: 'text', text });
const partial: WorkEvent = { kind: 'partial', report: {} };
const step = (n: number): WorkEvent => ({
  kind: 'step',
  step: { step: n, lossNats: 3, gradNorm: 1, learningRate: 1e-4, tokensPerSecond: 100 },
  remainingSeconds: 1,
  memoryBytes: 1e9,
});
const evaluated: WorkEvent = {
  kind: 'evaluation',
  evaluation: { step: 1, lossNats: 3, perplexity: 20, recoveredFraction: null },
};

describe('of the events of an engine', () => {
  it.each<{ what: string; emitted: WorkEvent[]; kept: WorkEvent[] }>([
    {
      what: 'progress keeps the first and the last',
      emitted: [0, 0.1, 0.2, 1].map((f) => progress(f)),
      kept: [progress(0), progress(1)],
    },
    {
      what: 'a new step is kept at once, behind the last of the old',
      emitted: [progress(0), progress(0.9), progress(1), progress(0, 'b'), progress(0.5, 'b')],
      kept: [progress(0), progress(1), progress(0, 'b'), progress(0.5, 'b')],
    },
    { what: 'text is joined and never lost', emitted: [...'abcdef'].map(text), kept: [text('a'), text('bcdef')] },
    {
      what: 'other events come behind what was emitted before them',
      emitted: [text('a'), text('b'), text('c'), partial, progress(0), progress(0.5), partial],
      kept: [text('a'), text('bc'), partial, progress(0), progress(0.5), partial],
    },
    {
      what: 'every step and evaluation of a healing is kept, in its order',
      emitted: [
        progress(0),
        progress(0.1),
        evaluated,
        step(0),
        step(1),
        step(2),
        evaluated,
        progress(0.2),
        progress(0.3),
      ],
      kept: [progress(0), progress(0.1), evaluated, step(0), step(1), step(2), evaluated, progress(0.3)],
    },
  ])('$what', ({ emitted, kept }) => {
    const written: WorkEvent[] = [];
    const pacing = paceEvents((event) => written.push(event));
    for (const event of emitted) pacing.push(event);
    pacing.flush();
    expect(written).toEqual(kept);
  });

  it('progress of a minute makes four events a second', () => {
    const written: WorkEvent[] = [];
    const pacing = paceEvents((event) => written.push(event));
    for (let i = 0; i < 6000; i++) {
      pacing.push(progress(i / 6000));
      vi.advanceTimersByTime(10);
    }
    pacing.flush();
    expect(written.length).toBeGreaterThan(200);
    expect(written.length).toBeLessThanOrEqual(242);
    expect(vi.getTimerCount()).toBe(0);
  });
});
