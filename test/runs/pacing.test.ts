// What is kept of the words of an engine, and who is answered in which order.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EngineRequest } from '../../server/protocol/engine';
import type { DropSet } from '../../server/protocol/recipes';
import type { Estimate } from '../../server/protocol/reports';
import { lossQuestion, openConversation, speedQuestion } from '../../server/runs/conversation';
import { type PacedEvent, paceEvents } from '../../server/runs/pacing';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const progress = (fraction: number, step = 'a'): PacedEvent => ({ kind: 'progress', step, fraction });
const text = (text: string): PacedEvent => ({ kind: 'text', text });
const partial: PacedEvent = { kind: 'partial', report: {} };
const step = (n: number): PacedEvent => ({
  kind: 'step',
  step: { step: n, lossNats: 3, gradNorm: 1, learningRate: 1e-4, tokensPerSecond: 100 },
  remainingSeconds: 1,
  memoryBytes: 1e9,
});
const judged: PacedEvent = {
  kind: 'evaluation',
  evaluation: { step: 1, lossNats: 3, perplexity: 20, recoveredFraction: null },
};

describe('of what an engine tells', () => {
  it.each<{ what: string; told: PacedEvent[]; kept: PacedEvent[] }>([
    {
      what: 'progress keeps the first and the last',
      told: [0, 0.1, 0.2, 1].map((f) => progress(f)),
      kept: [progress(0), progress(1)],
    },
    {
      what: 'a new step is kept at once, behind the last of the old',
      told: [progress(0), progress(0.9), progress(1), progress(0, 'b'), progress(0.5, 'b')],
      kept: [progress(0), progress(1), progress(0, 'b'), progress(0.5, 'b')],
    },
    { what: 'text is joined and never lost', told: [...'abcdef'].map(text), kept: [text('a'), text('bcdef')] },
    {
      what: 'other events come behind what was said before them',
      told: [text('a'), text('b'), text('c'), partial, progress(0), progress(0.5), partial],
      kept: [text('a'), text('bc'), partial, progress(0), progress(0.5), partial],
    },
    {
      what: 'every step and judgement of a healing is kept, in its order',
      told: [progress(0), progress(0.1), judged, step(0), step(1), step(2), judged, progress(0.2), progress(0.3)],
      kept: [progress(0), progress(0.1), judged, step(0), step(1), step(2), judged, progress(0.3)],
    },
  ])('$what', ({ told, kept }) => {
    const written: PacedEvent[] = [];
    const pacing = paceEvents((event) => written.push(event));
    for (const event of told) pacing.push(event);
    pacing.flush();
    expect(written).toEqual(kept);
  });

  it('progress of a minute makes four events a second', () => {
    const written: PacedEvent[] = [];
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

describe('a conversation', () => {
  const drop: DropSet = { blocks: [1], attention: [], mlp: [] };
  const estimate = (final: boolean) => ({ final }) as Estimate;
  const [one, two] = [{}, {}];
  function talk() {
    const sent: number[] = [];
    const withdrawn: number[] = [];
    const send = (request: EngineRequest) => {
      if (request.kind === 'withdraw') withdrawn.push(request.question);
      else if ('question' in request) sent.push(request.question);
    };
    const conversation = openConversation({ send });
    const said: string[] = [];
    const ask = (name: string, asker: object, until = new AbortController().signal) =>
      void conversation.ask(lossQuestion(asker, drop, until, () => said.push(`${name} estimate`))).then(
        () => said.push(`${name} answered`),
        (error) => said.push(`${name} ${error.code}`),
      );
    const hear = async (question: number, final: boolean) => {
      conversation.hear({ kind: 'estimate', question, estimate: estimate(final) });
      await Promise.resolve();
    };
    const time = (name: string, asker: object) =>
      void conversation.ask(speedQuestion(asker, drop, new AbortController().signal)).then(
        ({ baseMs }) => said.push(`${name} ${baseMs} ms`),
        (error) => said.push(`${name} ${error.code}`),
      );
    return { conversation, sent, withdrawn, said, ask, time, hear };
  }

  it('asks one question at a time, and each asker has a turn', async () => {
    const { sent, said, ask, hear } = talk();
    ask('a', one);
    ask('b', two);
    expect(sent).toEqual([1]);
    await hear(1, false);
    await hear(1, true);
    expect(sent).toEqual([1, 2]);
    await hear(2, true);
    expect(said).toEqual(['a estimate', 'a answered', 'b answered']);
  });

  it('lets a newer question of the same asker take the place of the older', async () => {
    const { sent, said, ask, hear } = talk();
    ask('a', one);
    ask('b', two);
    ask('c', one);
    ask('d', two);
    await hear(1, true);
    await hear(3, true);
    await hear(4, true);
    expect(sent).toEqual([1, 3, 4]);
    expect(said).toEqual(['a superseded', 'b superseded', 'c answered', 'd answered']);
  });

  it('is one over questions of both kinds', async () => {
    const { conversation, sent, said, ask, time, hear } = talk();
    ask('a', one);
    time('b', two);
    time('c', one);
    // The last words about a question that was superseded.
    await hear(1, true);
    conversation.hear({ kind: 'timed', question: 3, speed: { baseMs: 7, prunedMs: 5, nTokens: 8 } });
    conversation.hear({ kind: 'refused', question: 2, code: 'badChoice', message: '' });
    await Promise.resolve();
    await Promise.resolve();
    expect(sent).toEqual([1, 3, 2]);
    expect(said).toEqual(['a superseded', 'c 7 ms', 'b badChoice']);
  });

  it('lets each question be taken back, and tells the engine where none takes its place', async () => {
    const { sent, withdrawn, said, ask, hear } = talk();
    const [a, b, c, d] = [0, 1, 2, 3].map(() => new AbortController());
    d!.abort();
    ask('a', one, a!.signal);
    ask('b', two, b!.signal);
    ask('c', {}, c!.signal);
    ask('d', {}, d!.signal);
    b!.abort();
    a!.abort();
    expect(sent).toEqual([1, 3]);
    expect(withdrawn).toEqual([]);
    await hear(3, false);
    c!.abort();
    expect(withdrawn).toEqual([3]);
    await hear(3, true);
    // Said once, and to nobody but whoever asked.
    for (const each of [a, b, c]) each!.abort();
    await Promise.resolve();
    expect(said.sort()).toEqual(['a cancelled', 'b cancelled', 'c cancelled', 'c estimate', 'd cancelled']);
    ask('e', one);
    await hear(4, true);
    expect(said.at(-1)).toBe('e answered');
  });

  it('answers everybody when it ends, and those who come later', async () => {
    const { conversation, said, ask } = talk();
    ask('a', one);
    ask('b', two);
    conversation.end(Object.assign(new Error('over'), { code: 'badState' }));
    ask('c', one);
    await Promise.resolve();
    await Promise.resolve();
    expect(said.sort()).toEqual(['a badState', 'b badState', 'c badState']);
  });

  it('computes nothing for those who are gone', async () => {
    const { conversation, sent, ask, hear } = talk();
    ask('a', one);
    ask('b', two);
    conversation.forget(two);
    await hear(1, true);
    expect(sent).toEqual([1]);
  });
});
