// Notifications are merged, spaced, and never lost.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Estimate, RunEvent, RunSummary } from '../../server/protocol';
import { limits } from '../../server/rpc/limits';
import { makeOutbox } from '../../server/rpc/outbox';

interface Sent {
  method: string;
  params: { runId?: string; events?: RunEvent[]; runs?: RunSummary[]; deleted?: string[]; question?: number };
  atMs: number;
}

function boxed() {
  const sent: Sent[] = [];
  const wire = { waitingBytes: 0 };
  const outbox = makeOutbox({
    send: ({ method, params }) => void sent.push({ method, params, atMs: performance.now() }),
    waitingBytes: () => wire.waitingBytes,
  });
  return { sent, wire, outbox };
}

const event = (seq: number): RunEvent => ({ seq, atEpochMs: 0, event: { kind: 'text', text: 'x' } });
const run = (runId: string, state: 'queued' | 'done') => ({ runId, state }) as RunSummary;
const estimate = (lossNats: number) => ({ lossNats }) as Estimate;
const seqsOf = (sent: Sent[], runId: string) =>
  sent.filter(({ params }) => params.runId === runId).flatMap(({ params }) => params.events!.map(({ seq }) => seq));

it('sends the first notification at once', async () => {
  const { sent, outbox } = boxed();
  outbox.events('a', [event(1)]);
  await sleep(5);
  expect(sent).toHaveLength(1);
});

it('says no more than 30 things a second, however many runs talk, and loses no event', async () => {
  const { sent, outbox } = boxed();
  const began = performance.now();
  let seq = 0;
  while (performance.now() - began < 1_500) {
    seq++;
    for (const runId of ['a', 'b', 'c']) outbox.events(runId, [event(seq)]);
    outbox.changed([run('a', 'queued')], []);
    await sleep(1);
  }
  await sleep(400);
  for (let from = 0; from < sent.length; from++) {
    const second = sent.filter(({ atMs }) => atMs >= sent[from]!.atMs && atMs < sent[from]!.atMs + 1_000);
    expect(second.length).toBeLessThanOrEqual(30);
  }
  for (const runId of ['a', 'b', 'c'])
    expect(seqsOf(sent, runId)).toEqual(Array.from({ length: seq }, (_, k) => k + 1));
});

it('cuts a long replay in pieces', async () => {
  const { sent, outbox } = boxed();
  const all = Array.from({ length: 2 * limits.eventsPerNotification + 1 }, (_, k) => event(k + 1));
  outbox.events('a', all);
  await sleep(200);
  expect(sent.map(({ params }) => params.events!.length)).toEqual([
    limits.eventsPerNotification,
    limits.eventsPerNotification,
    1,
  ]);
  expect(seqsOf(sent, 'a')).toEqual(all.map(({ seq }) => seq));
});

it('tells the newest state of each run', async () => {
  const { sent, outbox } = boxed();
  outbox.events('x', [event(1)]);
  outbox.changed([run('a', 'queued'), run('b', 'queued')], []);
  outbox.changed([run('a', 'done')], ['b']);
  await sleep(120);
  expect(sent.filter(({ method }) => method === 'runs/changed').map(({ params }) => params)).toEqual([
    { runs: [run('a', 'done')], deleted: ['b'] },
  ]);
});

it('sends nothing to a client that does not keep up, and everything once it does', async () => {
  const { sent, wire, outbox } = boxed();
  wire.waitingBytes = limits.waitingBytes;
  outbox.events('a', [event(1)]);
  await sleep(150);
  expect(sent).toEqual([]);
  outbox.events('a', [event(2)]);
  wire.waitingBytes = 0;
  await sleep(100);
  expect(seqsOf(sent, 'a')).toEqual([1, 2]);
});

it('drops an estimate that its answer has overtaken, but not one of a newer question', async () => {
  const { sent, outbox } = boxed();
  outbox.events('x', [event(1)]);
  outbox.estimate('a', 1, estimate(3));
  outbox.answered('a', 1);
  outbox.estimate('b', 2, estimate(3));
  outbox.answered('b', 1);
  await sleep(150);
  expect(sent.slice(1).map(({ params }) => [params.runId, params.question])).toEqual([['b', 2]]);
});

it('forgets what a run still had to say when it is no longer followed', async () => {
  const { sent, outbox } = boxed();
  outbox.events('x', [event(1)]);
  outbox.events('a', [event(1)]);
  outbox.forget('a');
  outbox.events('a', [event(7)]);
  await sleep(150);
  expect(seqsOf(sent, 'a')).toEqual([7]);
});

it('is silent after its end', async () => {
  const { sent, outbox } = boxed();
  outbox.events('a', [event(1)]);
  outbox.end();
  outbox.changed([run('a', 'done')], []);
  await sleep(100);
  expect(sent).toEqual([]);
});
