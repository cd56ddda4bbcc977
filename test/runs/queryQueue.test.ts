// Which query to a warm engine is answered when.
import { describe, expect, it } from 'vitest';
import type { EngineRequest } from '../../server/protocol/engine';
import type { DropSet } from '../../server/protocol/recipes';
import type { Estimate } from '../../server/protocol/reports';
import { lossQuery, openQueryQueue, speedQuery } from '../../server/runs/queryQueue';

describe('a queue of queries', () => {
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
    const queue = openQueryQueue({ send });
    const said: string[] = [];
    const ask = (name: string, client: object, until = new AbortController().signal) =>
      void queue.ask(lossQuery(client, drop, until, () => said.push(`${name} estimate`))).then(
        () => said.push(`${name} answered`),
        (error) => said.push(`${name} ${error.code}`),
      );
    const answer = async (question: number, final: boolean) => {
      queue.onEvent({ kind: 'estimate', question, estimate: estimate(final) });
      await Promise.resolve();
    };
    const time = (name: string, client: object) =>
      void queue.ask(speedQuery(client, drop, new AbortController().signal)).then(
        ({ baseMs }) => said.push(`${name} ${baseMs} ms`),
        (error) => said.push(`${name} ${error.code}`),
      );
    return { queue, sent, withdrawn, said, ask, time, answer };
  }

  it('sends one query at a time, and each client has a turn', async () => {
    const { sent, said, ask, answer } = talk();
    ask('a', one);
    ask('b', two);
    expect(sent).toEqual([1]);
    await answer(1, false);
    await answer(1, true);
    expect(sent).toEqual([1, 2]);
    await answer(2, true);
    expect(said).toEqual(['a estimate', 'a answered', 'b answered']);
  });

  it('replaces an older query of the same client by a newer one', async () => {
    const { sent, said, ask, answer } = talk();
    ask('a', one);
    ask('b', two);
    ask('c', one);
    ask('d', two);
    await answer(1, true);
    await answer(3, true);
    await answer(4, true);
    expect(sent).toEqual([1, 3, 4]);
    expect(said).toEqual(['a superseded', 'b superseded', 'c answered', 'd answered']);
  });

  it('is one for queries of both kinds', async () => {
    const { queue, sent, said, ask, time, answer } = talk();
    ask('a', one);
    time('b', two);
    time('c', one);
    // Late events about a query that was replaced.
    await answer(1, true);
    queue.onEvent({ kind: 'timed', question: 3, speed: { baseMs: 7, prunedMs: 5, nTokens: 8 } });
    queue.onEvent({ kind: 'refused', question: 2, code: 'badChoice', message: '' });
    await Promise.resolve();
    await Promise.resolve();
    expect(sent).toEqual([1, 3, 2]);
    expect(said).toEqual(['a superseded', 'c 7 ms', 'b badChoice']);
  });

  it('cancels each query on request, and tells the engine where no other follows', async () => {
    const { sent, withdrawn, said, ask, answer } = talk();
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
    await answer(3, false);
    c!.abort();
    expect(withdrawn).toEqual([3]);
    await answer(3, true);
    // Each is rejected once.
    for (const each of [a, b, c]) each!.abort();
    await Promise.resolve();
    expect(said.sort()).toEqual(['a cancelled', 'b cancelled', 'c cancelled', 'c estimate', 'd cancelled']);
    ask('e', one);
    await answer(4, true);
    expect(said.at(-1)).toBe('e answered');
  });

  it('rejects all queries when it ends, and later ones', async () => {
    const { queue, said, ask } = talk();
    ask('a', one);
    ask('b', two);
    queue.end(Object.assign(new Error('over'), { code: 'badState' }));
    ask('c', one);
    await Promise.resolve();
    await Promise.resolve();
    expect(said.sort()).toEqual(['a badState', 'b badState', 'c badState']);
  });

  it('computes nothing for clients that are gone', async () => {
    const { queue, sent, ask, answer } = talk();
    ask('a', one);
    ask('b', two);
    queue.cancelAllOf(two);
    await answer(1, true);
    expect(sent).toEqual([1]);
  });
});
