// The order in which the page of a choice asks: the server lets a newer question of a window end its older one.
import { describe, expect, it } from 'vitest';
import type { Connection } from '../../extension/connection';
import { openQuestions } from '../../extension/panels/choose/questions';
import type { DropSet } from '../../server/protocol/recipes';
import type { Estimate, MeasuredSpeed } from '../../server/protocol/reports';
import { measured } from './rows';

const without = (...blocks: number[]): DropSet => ({ blocks, attention: [], mlp: [] });
const estimate: Estimate = { ...measured(0.1), nSequences: 1, ofSequences: 8, final: false, elapsedMs: 5 };
const final: Estimate = { ...estimate, nSequences: 8, final: true };
const speed: MeasuredSpeed = { baseMs: 130, prunedMs: 100, nTokens: 1024 };

/** A server that answers when the test says so. */
function asking(runId: string | null = 'r') {
  const open: { method: string; params: unknown; answer(result: unknown): void; refuse(error: Error): void }[] = [];
  const listeners = new Set<(event: unknown) => void>();
  const connection = {
    request: (method: string, params: unknown) =>
      new Promise((answer, refuse) => open.push({ method, params, answer, refuse })),
    on(_: string, listener: (event: never) => void) {
      listeners.add(listener as (event: unknown) => void);
      return { dispose: () => void listeners.delete(listener as (event: unknown) => void) };
    },
  } as Pick<Connection, 'on' | 'request'>;
  const questions = openQuestions(connection, () => runId);
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
  return { open, listeners, questions, settled, asked: () => open.map(({ method }) => method) };
}

describe('questions of a page', () => {
  it('about a loss hear the estimates of their own alone, and no more after the answer', async () => {
    const { open, listeners, questions } = asking();
    const heard: Estimate[] = [];
    const answer = questions.loss(7, without(1), (each) => heard.push(each));
    expect(open[0]).toMatchObject({ method: 'runs/ask', params: { runId: 'r', question: 7, drop: without(1) } });
    for (const event of [
      { runId: 'r', question: 6, estimate },
      { runId: 'other', question: 7, estimate },
      { runId: 'r', question: 7, estimate },
    ])
      for (const listener of listeners) listener(event);
    open[0]!.answer(final);
    expect(await answer).toBe(final);
    expect(heard).toEqual([estimate]);
    expect(listeners.size).toBe(0);
  });

  it('about the speed are asked at once where nothing else is', async () => {
    const { open, questions, settled } = asking();
    const answer = questions.speed(without(1));
    await settled();
    expect(open[0]).toMatchObject({ method: 'runs/time', params: { runId: 'r', drop: without(1) } });
    open[0]!.answer(speed);
    expect(await answer).toBe(speed);
  });

  it.each(['answered', 'refused'])('about the speed wait until the loss is %s', async (how) => {
    const { open, questions, settled, asked } = asking();
    const loss = questions.loss(1, without(1), () => {}).catch(() => {});
    const answer = questions.speed(without(1));
    await settled();
    expect(asked()).toEqual(['runs/ask']);
    if (how === 'answered') open[0]!.answer(final);
    else open[0]!.refuse(new Error('superseded'));
    await loss;
    await settled();
    expect(asked()).toEqual(['runs/ask', 'runs/time']);
    open[1]!.answer(speed);
    expect(await answer).toBe(speed);
  });

  it('about the speed are not asked any more where another loss is asked for', async () => {
    const { open, questions, settled, asked } = asking();
    void questions.loss(1, without(1), () => {});
    const answer = questions.speed(without(1)).catch((error) => error.code);
    void questions.loss(2, without(2), () => {});
    for (const each of open) each.answer(final);
    expect(await answer).toBe('superseded');
    await settled();
    expect(asked()).toEqual(['runs/ask', 'runs/ask']);
  });

  it('need an analysis', async () => {
    const { questions } = asking(null);
    await expect(questions.loss(1, without(1), () => {})).rejects.toThrow('There is no analysis');
    await expect(questions.speed(without(1))).rejects.toThrow('There is no analysis');
  });
});
