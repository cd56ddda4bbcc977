// Runs outlive connections, engines and servers; what happened stays numbered and can be read again.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { engineEvents } from '../../server/protocol/engine';
import type { DropSet } from '../../server/protocol/recipes';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import type { PruneRecipe } from '../../server/recipes/prune/recipe';
import type { RunEvent } from '../../server/protocol/server';
import { finite } from '../finiteLoss';
import { enginesOf, isRunning, until } from '../cli/espalier';
import { recipeSchema } from '../../server/recipes/kinds';
import {
  analyzeRecipe,
  bundle,
  type Client,
  connect,
  errorOf,
  newFolder,
  oneTo,
  reaches,
  type StartedServer,
  startServer,
  stopServer,
  stories,
  text,
} from '../rpc/client';

const root = newFolder();
const running: StartedServer[] = [];
let nServers = 0;
const newServer = async (data = join(root, `data${nServers++}`), program = bundle): Promise<StartedServer> => {
  const server = await startServer(data, 60, program);
  running.push(server);
  return server;
};
afterEach(async () => {
  for (const server of running.splice(0)) if (isRunning(server.pid)) await stopServer(server);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Some seconds of work on the tiny model. */
const long = (nSequences = 60) =>
  analyzeRecipe({ measure: { removals: 'sublayers', greedy: null, suggestions: 0, whatIf: [] } }, nSequences);
const outFolder = join(root, 'out');
mkdirSync(outFolder);
const prune = (out: string): PruneRecipe => ({
  kind: 'prune',
  model: stories,
  rule: { kind: 'chosen', blocks: [1], attention: [], mlp: [] },
  source: null,
  repair: null,
  out,
  dtype: null,
  maxShardBytes: null,
  mergekit: null,
  compute: analyzeRecipe().compute,
});
const heal = (out: string): HealRecipe =>
  recipeSchema.parse({ kind: 'heal', model: stories, data: { files: [text] }, out }) as HealRecipe;
const roots = [stories, text, outFolder];
const seqs = (events: readonly RunEvent[]) => events.map(({ seq }) => seq);
const engineOf = async (server: StartedServer): Promise<number> => {
  await until('the engine is there', () => enginesOf(server.pid).length > 0);
  return enginesOf(server.pid)[0]!;
};
/** The longest that a request took while `during` went on. */
async function slowestAnswerMs(client: Client, during: Promise<unknown>): Promise<number> {
  let slowest = 0;
  let over = false;
  void during.finally(() => (over = true));
  while (!over) {
    const began = performance.now();
    await client.request('server/status', {});
    slowest = Math.max(slowest, performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return slowest;
}
/** An engine of our own beside a copy of the server. */
function withEngine(source: string): string {
  const folder = join(root, `bundle${nServers}`);
  mkdirSync(folder);
  cpSync(bundle, join(folder, 'server.cjs'));
  writeFileSync(join(folder, 'engine.cjs'), `process.on('disconnect', () => process.exit(1));\n${source}`);
  cpSync(join(dirname(bundle), 'reader.cjs'), join(folder, 'reader.cjs'));
  return join(folder, 'server.cjs');
}

describe('events', () => {
  it('are replayed without a gap after the sockets were cut for 3 s under load', async () => {
    const server = await newServer(undefined, withEngine(chatty));
    const before = await connect(server.lock, roots);
    const runId = randomUUID();
    await before.request('runs/start', { runId, recipe: prune(join(outFolder, 'chatty')) });
    await before.request('runs/subscribe', { runId, since: 0 });
    await until('some have come', () => before.events(runId).length > 20);
    before.socket.terminate();
    const had = before.events(runId);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const after = await connect(server.lock, roots);
    const { lastSeq } = await after.request('runs/subscribe', { runId, since: had.length });
    expect(lastSeq).toBeGreaterThan(had.length + 100);
    const done = await reaches(after, runId, ['done', 'failed']);
    await until('all have come', () => after.events(runId).length >= done.lastSeq - had.length);
    const all = [...had, ...after.events(runId)];
    expect(seqs(all)).toEqual(oneTo(done.lastSeq));
    const said = all.map(({ event }) => (event.kind === 'text' ? event.text : '')).join('');
    expect(said).toBe(Array.from({ length: 1200 }, (_, i) => `${i} `).join(''));
  });

  // Heard at the other end of a socket, in a process that may be kept from listening for a while and then hears at once what
  // was sent meanwhile: such a moment is tried again. When messages are sent is held by test/rpc/outbox.test.ts.
  it('come in at most 30 messages a second', { retry: 2 }, async () => {
    const server = await newServer(undefined, withEngine(chatty));
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: prune(join(outFolder, 'chatty')) });
    await client.request('runs/subscribe', { runId, since: 0 });
    await reaches(client, runId, ['done']);
    const times = client.heardAtMs;
    expect(times.length).toBeGreaterThan(30);
    const most = Math.max(...times.map((at) => times.filter((other) => other >= at && other < at + 1000).length));
    expect(most).toBeLessThanOrEqual(30);
  });

  it('of progress are a few a second, and the last is kept', async () => {
    const server = await newServer(undefined, withEngine(busy));
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    const beganMs = performance.now();
    await client.request('runs/start', { runId, recipe: prune(join(outFolder, 'busy')) });
    const done = await reaches(client, runId, ['done']);
    const tookMs = performance.now() - beganMs;
    await client.request('runs/subscribe', { runId, since: 0 });
    await until('all have come', () => client.events(runId).length === done.lastSeq);
    const progress = client.events(runId).flatMap(({ event }) => (event.kind === 'progress' ? [event] : []));
    expect(progress.length).toBeGreaterThan(4);
    // Of 20 000; the first and the last are not waited for.
    expect(progress.length).toBeLessThanOrEqual(2 + tookMs / engineEvents.progress.paced.everyMs);
    expect(progress.at(-1)).toEqual({ kind: 'progress', step: 'write', fraction: 1 });
  });

  it('that nobody has are not asked for', async () => {
    const server = await newServer();
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    expect(await errorOf(client.request('runs/subscribe', { runId, since: 0 }))).toMatchObject({ reason: 'notFound' });
    await client.request('runs/start', { runId, recipe: { kind: 'inspect', model: stories } });
    const { lastSeq } = await reaches(client, runId, ['done']);
    expect(await errorOf(client.request('runs/subscribe', { runId, since: lastSeq + 1 }))).toMatchObject({
      reason: 'badState',
    });
  });

  it('of a client that takes nothing wait on disk and not in memory, and the others get theirs', async () => {
    const server = await newServer(undefined, withEngine(chatty));
    const slow = await connect(server.lock, roots);
    const quick = await connect(server.lock, roots);
    const runId = randomUUID();
    await quick.request('runs/start', { runId, recipe: prune(join(outFolder, 'chatty')) });
    for (const client of [slow, quick]) await client.request('runs/subscribe', { runId, since: 0 });
    // Not for so long that it counts as gone.
    slow.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(quick.events(runId).length).toBeGreaterThan(slow.events(runId).length + 50);
    slow.socket.resume();
    const done = await reaches(quick, runId, ['done']);
    await until('all have come', () => quick.events(runId).length === done.lastSeq);
    await until('all have come here, too', () => slow.events(runId).length === done.lastSeq);
    expect(seqs(slow.events(runId))).toEqual(oneTo(done.lastSeq));
  });
});

describe('a healing', () => {
  it('keeps every point of its curve, and its steps are its progress', async () => {
    const server = await newServer(undefined, withEngine(healer));
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    const started = await client.request('runs/start', { runId, recipe: heal(join(outFolder, 'curve')) });
    expect(started.title).toBe('Heal stories260k');
    await client.request('runs/subscribe', { runId, since: 0 });
    await until('it is half way', () => (client.changed.get(runId) as { fraction?: number }).fraction! > 0.5);
    expect(client.changed.get(runId)).toMatchObject({ state: 'running', step: 'train' });
    const done = await reaches(client, runId, ['done']);
    await until('all have come', () => client.events(runId).length === done.lastSeq);
    const told = client.events(runId).map(({ event }) => event);
    const steps = told.flatMap((event) => (event.kind === 'step' ? [event.step.step] : []));
    expect(steps).toEqual(Array.from({ length: 400 }, (_, i) => i));
    const evaluatedAt = told.flatMap((event) => (event.kind === 'evaluation' ? [event.evaluation.step] : []));
    expect(evaluatedAt).toEqual([0, 100, 200, 300, 400]);
    expect(told.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['healing', 'references']));
    const again = await connect(server.lock, roots);
    await again.request('runs/subscribe', { runId, since: 0 });
    await until('they are replayed', () => again.events(runId).length === done.lastSeq);
    expect(again.events(runId)).toEqual(client.events(runId));
  });

  it('is paused, goes on, and is stopped and saved', async () => {
    const server = await newServer(undefined, withEngine(healer));
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: heal(join(outFolder, 'paused')) });
    await client.request('runs/subscribe', { runId, since: 0 });
    const nSteps = () => client.events(runId).filter(({ event }) => event.kind === 'step').length;
    await until('it trains', () => nSteps() > 10);
    const began = (await client.request('runs/get', { runId })).run.startedAtEpochMs;
    await client.request('runs/control', { runId, action: 'pause' });
    expect(await reaches(client, runId, ['paused'])).toMatchObject({ step: 'train', startedAtEpochMs: began });
    expect((await client.request('server/status', {})).nActiveRuns).toBe(1);
    await client.request('runs/control', { runId, action: 'pause' });
    const before = (await client.request('runs/get', { runId })).run.lastSeq;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await client.request('runs/get', { runId })).run).toMatchObject({ state: 'paused', lastSeq: before });
    await client.request('runs/control', { runId, action: 'continue' });
    await reaches(client, runId, ['running']);
    await client.request('runs/control', { runId, action: 'stopAndSave' });
    const { lastSeq } = await reaches(client, runId, ['done']);
    expect((await client.request('runs/get', { runId })).report).toMatchObject({ stoppedBy: 'request' });
    await until('all have come', () => client.events(runId).length === lastSeq);
    const states = client.events(runId).flatMap(({ event }) => (event.kind === 'state' ? [event.state.state] : []));
    expect(states).toEqual(['queued', 'running', 'paused', 'running', 'done']);
    const late = client.request('runs/control', { runId, action: 'pause' });
    expect(await errorOf(late)).toMatchObject({ reason: 'badState' });
  });

  it('is cancelled while it is paused', async () => {
    const server = await newServer(undefined, withEngine(healer));
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: heal(join(outFolder, 'left')) });
    await reaches(client, runId, ['running']);
    await client.request('runs/control', { runId, action: 'pause' });
    await reaches(client, runId, ['paused']);
    expect(await errorOf(client.request('runs/delete', { runId }))).toMatchObject({ reason: 'badState' });
    await client.request('runs/cancel', { runId });
    await reaches(client, runId, ['cancelled']);
  });

  it('goes on after the death of its server, from what it saved', async () => {
    const data = join(root, 'healed');
    const program = withEngine(healer);
    const first = await newServer(data, program);
    const client = await connect(first.lock, roots);
    const runId = randomUUID();
    const out = join(outFolder, 'saved');
    await client.request('runs/start', { runId, recipe: heal(out) });
    await reaches(client, runId, ['running']);
    await client.request('runs/control', { runId, action: 'pause' });
    await reaches(client, runId, ['paused']);
    first.process.kill('SIGKILL');
    await first.ended;
    mkdirSync(join(out, 'run'), { recursive: true });
    const second = await newServer(data, program);
    const again = await connect(second.lock, roots);
    expect((await again.request('runs/get', { runId })).run.state).toBe('interrupted');
    await again.request('runs/resume', { runId });
    await reaches(again, runId, ['done']);
    const { report, recipe } = await again.request('runs/get', { runId });
    expect(report).toMatchObject({ resumed: true });
    expect(recipe).toMatchObject({ resume: false });
  });

  it('alone can be paused', async () => {
    const server = await newServer();
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: long() });
    await engineOf(server);
    expect(await errorOf(client.request('runs/control', { runId, action: 'pause' }))).toMatchObject({
      reason: 'badState',
      message: 'Only a healing can be paused; cancel this run instead.',
    });
    const none = client.request('runs/control', { runId: randomUUID(), action: 'pause' });
    expect(await errorOf(none)).toMatchObject({ reason: 'notFound' });
    const unknown = client.request('runs/control', { runId, action: 'rewind' as 'pause' });
    expect(await errorOf(unknown)).toMatchObject({ code: -32602 });
    await client.request('runs/cancel', { runId });
  });
});

describe('a server killed in the middle of a run', () => {
  it('leaves an interrupted run to the next one, which can resume it', async () => {
    const first = await newServer();
    const data = join(root, `data${nServers - 1}`);
    const client = await connect(first.lock, roots);
    const runId = randomUUID();
    const queuedId = randomUUID();
    const recipe = long();
    await client.request('runs/start', { runId, recipe });
    await client.request('runs/start', { runId: queuedId, recipe: { ...recipe, methods: ['none'] } });
    await client.request('runs/subscribe', { runId, since: 0 });
    const engine = await engineOf(first);
    await until('it computes', () => client.events(runId).some(({ event }) => event.kind === 'progress'));
    first.process.kill('SIGKILL');
    await first.ended;
    await until('the engine has ended with it', () => !isRunning(engine), 5000);
    // Killed in the middle of a line.
    appendFileSync(join(data, 'runs', runId, 'events.jsonl'), '{"seq":99,"atEp');

    const second = await newServer(data);
    const again = await connect(second.lock, roots);
    const found = await again.request('runs/list', {});
    expect(found.map(({ runId, state }) => [runId, state])).toEqual([
      [runId, 'interrupted'],
      [queuedId, 'interrupted'],
    ]);
    await again.request('runs/subscribe', { runId, since: client.events(runId).length });
    const resumed = await again.request('runs/resume', { runId });
    expect(['queued', 'running']).toContain(resumed.state);
    const done = await reaches(again, runId, ['done', 'failed'], 60_000);
    expect(done.state).toBe('done');
    await until('all have come', () => again.events(runId).at(-1)?.seq === done.lastSeq);
    const all = [...client.events(runId), ...again.events(runId)];
    expect(seqs(all)).toEqual(oneTo(done.lastSeq));
    const states = all.flatMap(({ event }) => (event.kind === 'state' ? [event.state.state] : []));
    expect(states).toEqual(['queued', 'running', 'interrupted', 'queued', 'running', 'done']);
    const lines = readFileSync(join(data, 'runs', runId, 'events.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(seqs(lines.map((line) => JSON.parse(line)))).toEqual(oneTo(done.lastSeq));
    expect((await again.request('runs/get', { runId })).report).toMatchObject({ kind: 'analyze' });
  });

  it('ended gently, it writes that itself', async () => {
    const first = await newServer();
    const data = join(root, `data${nServers - 1}`);
    const client = await connect(first.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: long() });
    const engine = await engineOf(first);
    await stopServer(first);
    expect(isRunning(engine)).toBe(false);
    const { state } = JSON.parse(readFileSync(join(data, 'runs', runId, 'state.json'), 'utf8'));
    expect(state).toEqual({ state: 'interrupted' });
  });
});

describe('a folder that something happened to', () => {
  /** Starts a run, kills its server in the middle, does the harm, and starts another server. */
  const harmed = async (harm: (folder: string) => void) => {
    const first = await newServer();
    const data = join(root, `data${nServers - 1}`);
    const runId = randomUUID();
    const client = await connect(first.lock, roots);
    await client.request('runs/start', { runId, recipe: long() });
    await client.request('runs/subscribe', { runId, since: 0 });
    await until('it computes', () => client.events(runId).some(({ event }) => event.kind === 'progress'));
    first.process.kill('SIGKILL');
    await first.ended;
    harm(join(data, 'runs', runId));
    const second = await newServer(data);
    const again = await connect(second.lock, roots);
    expect((await again.request('runs/get', { runId })).run.state).toBe('interrupted');
    return { again, runId, folder: join(data, 'runs', runId) };
  };

  it('cannot keep the next server from starting', async () => {
    const { again, runId } = await harmed((folder) => {
      rmSync(join(folder, 'events.jsonl'));
      mkdirSync(join(folder, 'events.jsonl'));
    });
    expect(await errorOf(again.request('runs/resume', { runId }))).toMatchObject({
      reason: 'cannotWrite',
      message: expect.stringContaining('(EISDIR at '),
    });
    const other = randomUUID();
    await again.request('runs/start', { runId: other, recipe: { kind: 'inspect', model: stories } });
    expect((await reaches(again, other, ['done', 'failed'])).state).toBe('done');
  });

  it('and lost its newest events says so, and gives no number twice', async () => {
    const { again, runId, folder } = await harmed(() => {});
    const file = join(folder, 'events.jsonl');
    await again.request('server/stop', {});
    await running.at(-1)!.ended;
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    writeFileSync(file, `${lines.slice(0, -2).join('\n')}\n`);
    const third = await newServer(join(folder, '../..'));
    const client = await connect(third.lock, roots);
    await client.request('runs/resume', { runId });
    const { lastSeq, state } = await reaches(client, runId, ['done', 'failed'], 60_000);
    expect(state).toBe('done');
    await client.request('runs/subscribe', { runId, since: 0 });
    await until('all have come', () => client.events(runId).at(-1)?.seq === lastSeq);
    const n = lines.length;
    expect(seqs(client.events(runId))).toEqual(oneTo(lastSeq).filter((seq) => seq !== n - 1 && seq !== n));
    const said = client.events(runId).find(({ seq }) => seq === n + 1)!.event;
    expect(said).toEqual({
      kind: 'warning',
      text: `The log of this run ends before event ${n - 1}; lost: ${n - 1} to ${n}.`,
    });
  });
});

describe('an engine', () => {
  it('killed fails its run with the reason, while the server answers within a second', { retry: 2 }, async () => {
    const server = await newServer();
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: long() });
    const engine = await engineOf(server);
    const over = reaches(client, runId, ['failed', 'done']);
    const slowest = slowestAnswerMs(client, over);
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.kill(engine, 'SIGKILL');
    expect(await over).toMatchObject({
      state: 'failed',
      code: 'cannotFit',
      message: expect.stringMatching(/^The engine was killed from outside, .* memory ran out/),
    });
    expect(await slowest).toBeLessThan(1000);
    expect((await client.request('runs/resume', { runId })).state).toBe('queued');
    await client.request('runs/cancel', { runId });
  });

  it('that dies by itself fails its run with what it wrote last', async () => {
    const server = await newServer(undefined, withEngine("console.error('no such instruction');\nprocess.exit(7);"));
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: { kind: 'inspect', model: stories } });
    expect(await reaches(client, runId, ['failed'])).toMatchObject({
      code: 'internal',
      message: 'The engine ended with code 7.\nno such instruction',
    });
  });

  it('that does not listen to a cancel is killed', async () => {
    const server = await newServer(undefined, withEngine("process.on('message', () => { for (;;); });"));
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: { kind: 'inspect', model: stories } });
    const engine = await engineOf(server);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await client.request('runs/cancel', { runId });
    expect((await reaches(client, runId, ['cancelled'], 4000)).state).toBe('cancelled');
    expect(isRunning(engine)).toBe(false);
  });

  it('that refuses says why', async () => {
    const server = await newServer();
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: analyzeRecipe({ methods: ['guess'] }) });
    expect(await reaches(client, runId, ['failed'])).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/^There is no method guess/),
    });
  });
});

describe('runs', () => {
  it('take turns on a device, and an inspection waits for none', async () => {
    const server = await newServer();
    const client = await connect(server.lock, roots);
    const [one, two, look] = [randomUUID(), randomUUID(), randomUUID()];
    await client.request('runs/start', { runId: one, recipe: long(30) });
    await client.request('runs/start', { runId: two, recipe: prune(join(outFolder, 'turn')) });
    await client.request('runs/start', { runId: look, recipe: { kind: 'inspect', model: stories } });
    await reaches(client, look, ['done']);
    expect((await client.request('runs/get', { runId: two })).run.state).toBe('queued');
    await reaches(client, one, ['done']);
    expect(await reaches(client, two, ['done'])).toMatchObject({ kind: 'prune', title: 'Prune stories260k' });
    expect(readdirSync(join(outFolder, 'turn'))).toContain('espalier.json');
    const runs = await client.request('runs/list', {});
    const [first, second] = [one, two].map((id) => runs.find(({ runId }) => runId === id)!);
    expect(second!.startedAtEpochMs).toBeGreaterThanOrEqual(first!.endedAtEpochMs!);
  });

  it('are cancelled while they wait and while they work, and resumed', async () => {
    const server = await newServer();
    const client = await connect(server.lock, roots);
    const [one, two] = [randomUUID(), randomUUID()];
    await client.request('runs/start', { runId: one, recipe: long() });
    await client.request('runs/start', { runId: two, recipe: prune(join(outFolder, 'cancelled')) });
    expect(await client.request('runs/cancel', { runId: two })).toMatchObject({ state: 'cancelled' });
    await engineOf(server);
    const began = performance.now();
    await client.request('runs/cancel', { runId: one });
    await reaches(client, one, ['cancelled']);
    expect(performance.now() - began).toBeLessThan(3000);
    expect(existsSync(join(outFolder, 'cancelled'))).toBe(false);
    await client.request('runs/resume', { runId: two });
    expect((await reaches(client, two, ['done', 'failed'])).state).toBe('done');
    expect(await errorOf(client.request('runs/resume', { runId: two }))).toMatchObject({ reason: 'badState' });
  });

  it('are deleted from disk, but not while they work', async () => {
    const server = await newServer();
    const data = join(root, `data${nServers - 1}`);
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: long() });
    await engineOf(server);
    expect(await errorOf(client.request('runs/delete', { runId }))).toMatchObject({ reason: 'badState' });
    await client.request('runs/cancel', { runId });
    await reaches(client, runId, ['cancelled']);
    expect((await client.request('runs/delete', { runId })).freedBytes).toBeGreaterThan(100);
    expect(readdirSync(join(data, 'runs'))).toEqual([]);
    expect(readdirSync(join(data, 'trash', runId)).sort()).toEqual(['events.jsonl', 'recipe.json', 'state.json']);
    expect(await errorOf(client.request('runs/get', { runId }))).toMatchObject({ reason: 'notFound' });
    await until('everybody has heard', () => !client.changed.has(runId));
  });

  it('with one id have one recipe', async () => {
    const server = await newServer();
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    const recipe = { kind: 'inspect', model: stories } as const;
    const both = await Promise.all([0, 1].map(() => client.request('runs/start', { runId, recipe })));
    expect(both.map((run) => run.runId)).toEqual([runId, runId]);
    expect(await client.request('runs/list', {})).toHaveLength(1);
    const other = client.request('runs/start', { runId, recipe: analyzeRecipe() });
    expect(await errorOf(other)).toMatchObject({ reason: 'badState' });
  });
});

describe('a full disk', () => {
  it('fails runs with a sentence, and the server lives on', async ({ skip }) => {
    const data = join(root, 'disk');
    mkdirSync(data);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', data], { stdio: 'ignore' });
    } catch {
      if (process.env.CI === 'true') throw new Error('under CI every test has to run, and this one needs root');
      skip('mounting needs root');
    }
    try {
      const server = await newServer(data);
      const client = await connect(server.lock, roots);
      const runId = randomUUID();
      await client.request('runs/start', { runId, recipe: long() });
      await engineOf(server);
      execFileSync('sh', ['-c', `dd if=/dev/zero of="${data}/other" bs=4096 2> /dev/null || true`]);
      const refused = client.request('runs/start', {
        runId: randomUUID(),
        recipe: { kind: 'inspect', model: stories },
      });
      expect(await errorOf(refused)).toMatchObject({
        reason: 'cannotWrite',
        message: expect.stringMatching(
          /^The run cannot be kept on disk \(ENOSPC at .*\): the disk is full; free some space/,
        ),
      });
      expect(await reaches(client, runId, ['failed'])).toMatchObject({ code: 'cannotWrite' });
      rmSync(join(data, 'other'));
      await client.request('runs/resume', { runId });
      expect((await reaches(client, runId, ['done', 'failed'], 60_000)).state).toBe('done');
      await stopServer(server);
    } finally {
      execFileSync('umount', [data]);
    }
  });
});

describe('questions', () => {
  const without = (...blocks: number[]): DropSet => ({ blocks, attention: [], mlp: [] });
  const asked = async (stay: boolean, nSequences = 8) => {
    const server = await newServer();
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    const whatIf = [without(2)];
    const recipe = analyzeRecipe(
      { stay, measure: { removals: 'none', greedy: null, suggestions: 0, whatIf } },
      nSequences,
    );
    await client.request('runs/start', { runId, recipe });
    await reaches(client, runId, ['done']);
    const { report } = await client.request('runs/get', { runId });
    const expected = report?.kind === 'analyze' ? finite(report.whatIf![0]!.lossNats) : Number.NaN;
    return { server, client, runId, expected };
  };

  it('are answered by the engine that stayed, with the loss that a run measures', async () => {
    const { server, client, runId, expected } = await asked(true);
    const engine = enginesOf(server.pid)[0]!;
    expect(isRunning(engine)).toBe(true);
    const answer = await client.request('runs/ask', { runId, question: 1, drop: without(2) });
    expect(answer).toMatchObject({ final: true, nSequences: 8, ofSequences: 8 });
    expect(answer.lossNats).toBeCloseTo(expected, 6);
    expect(enginesOf(server.pid)).toEqual([engine]);
    expect(client.estimates.every(({ question }) => question === 1)).toBe(true);
    const refused = client.request('runs/ask', { runId, question: 2, drop: without(99) });
    expect(await errorOf(refused)).toMatchObject({ reason: 'badChoice' });
  });

  it('are answered by another engine where none stayed', async () => {
    const { server, client, runId, expected } = await asked(false);
    await until('the engine is gone', () => enginesOf(server.pid).length === 0);
    const answer = await client.request('runs/ask', { runId, question: 1, drop: without(2) });
    expect(answer.lossNats).toBeCloseTo(expected, 6);
    expect(await client.request('runs/list', {})).toHaveLength(1);
    process.kill(enginesOf(server.pid)[0]!, 'SIGKILL');
    await until('it is gone', () => enginesOf(server.pid).length === 0);
    const again = await client.request('runs/ask', { runId, question: 2, drop: without(2) });
    expect(again.lossNats).toBeCloseTo(expected, 6);
  });

  it('give way to newer ones of the same client, not to those of others', async () => {
    // Enough that none is answered before the next one has arrived, also on a busy machine.
    const { server, client, runId } = await asked(true, 100);
    const other = await connect(server.lock, roots);
    const questions = [1, 2, 3].map((question) =>
      client.request('runs/ask', { runId, question, drop: without(question) }).then(
        (estimate) => estimate.final,
        (error) => error.data.code,
      ),
    );
    const theirs = other.request('runs/ask', { runId, question: 1, drop: without(0) });
    expect(await Promise.all(questions)).toEqual(['superseded', 'superseded', true]);
    expect(await theirs).toMatchObject({ final: true });
  });

  it('of how fast what is left is are answered, too, by the engine that stayed or another', { retry: 2 }, async () => {
    const { server, client, runId } = await asked(true);
    const engine = enginesOf(server.pid)[0]!;
    const speed = await client.request('runs/time', { runId, drop: without(1, 2, 3, 4) });
    expect(speed.prunedMs).toBeGreaterThan(0);
    expect(speed.prunedMs).toBeLessThan(speed.baseMs);
    expect(speed.nTokens).toBeGreaterThan(0);
    expect(enginesOf(server.pid)).toEqual([engine]);
    const refused = client.request('runs/time', { runId, drop: without(99) });
    expect(await errorOf(refused)).toMatchObject({ reason: 'badChoice' });
    process.kill(engine, 'SIGKILL');
    await until('it is gone', () => enginesOf(server.pid).length === 0);
    expect((await client.request('runs/time', { runId, drop: without(1) })).baseMs).toBeGreaterThan(0);
  });

  it('of both kinds give way to each other where one client asks them', async () => {
    const { server, client, runId } = await asked(true);
    const other = await connect(server.lock, roots);
    const code = (request: Promise<unknown>) =>
      request.then(
        () => 'answered',
        (error) => error.data.code,
      );
    const time = (from: Client) => code(from.request('runs/time', { runId, drop: without(1) }));
    const mine = [
      time(client),
      time(client),
      code(client.request('runs/ask', { runId, question: 1, drop: without(1) })),
    ];
    const theirs = time(other);
    expect(await Promise.all(mine)).toEqual(['superseded', 'superseded', 'answered']);
    expect(await theirs).toBe('answered');
  });

  it('end when another run wants the device, and can be asked again', async () => {
    const { server, client, runId, expected } = await asked(true);
    const engine = enginesOf(server.pid)[0]!;
    const next = randomUUID();
    await client.request('runs/start', { runId: next, recipe: prune(join(outFolder, 'wanted')) });
    await reaches(client, next, ['done']);
    expect(isRunning(engine)).toBe(false);
    const answer = await client.request('runs/ask', { runId, question: 1, drop: without(2) });
    expect(answer.lossNats).toBeCloseTo(expected, 6);
    await client.request('runs/cancel', { runId });
    expect(enginesOf(server.pid)).toEqual([]);
    expect((await client.request('runs/get', { runId })).run.state).toBe('done');
  });

  it('that nobody waits for any more bring no engine up', async () => {
    const server = await newServer(undefined, withEngine(slowToStay));
    const client = await connect(server.lock, roots);
    const asker = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: analyzeRecipe() });
    await reaches(client, runId, ['done']);
    await until('the engine is gone', () => enginesOf(server.pid).length === 0);
    const ask = (from: Client) => errorOf(from.request('runs/ask', { runId, question: 1, drop: without(1) }));

    void ask(asker).catch(() => {});
    const first = await engineOf(server);
    asker.socket.terminate();
    await until('it has ended', () => !isRunning(first), 5000);

    const answer = ask(client);
    const second = await engineOf(server);
    await client.request('runs/cancel', { runId });
    expect(await answer).toMatchObject({ reason: 'badState' });
    await until('it has ended, too', () => !isRunning(second), 5000);

    // The device is free again.
    const next = randomUUID();
    await client.request('runs/start', { runId: next, recipe: analyzeRecipe() });
    expect((await reaches(client, next, ['done', 'failed'], 5000)).state).toBe('done');
  });

  it('are for analyses that are done', async () => {
    const server = await newServer();
    const client = await connect(server.lock, roots);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: long() });
    expect(await errorOf(client.request('runs/ask', { runId, question: 1, drop: without(1) }))).toMatchObject({
      reason: 'badState',
    });
    await client.request('runs/cancel', { runId });
    const look = randomUUID();
    await client.request('runs/start', { runId: look, recipe: { kind: 'inspect', model: stories } });
    await reaches(client, look, ['done']);
    expect(await errorOf(client.request('runs/ask', { runId: look, question: 1, drop: without(1) }))).toMatchObject({
      reason: 'badState',
    });
    expect(await errorOf(client.request('runs/time', { runId: look, drop: without(1) }))).toMatchObject({
      reason: 'badState',
    });
  });
});

// Engines that do nothing but talk: what is tested is what becomes of their words.

/** 1200 pieces of text in some six seconds. */
const chatty = `
let n = 0;
process.on('message', () => setInterval(() => {
  for (let i = 0; i < 2; i++) process.send({ kind: 'text', text: n++ + ' ' });
  process.send({ kind: 'plan', plan: { pad: 'x'.repeat(2000) } });
  if (n >= 1200) process.send({ kind: 'done', report: { kind: 'prune' } }, () => process.exit(0));
}, 10));`;

/** 20 000 steps of progress in two seconds. */
const busy = `
let n = 0;
process.on('message', () => setInterval(() => {
  for (let i = 0; i < 200; i++) process.send({ kind: 'progress', step: 'write', fraction: ++n / 20000 });
  if (n >= 20000) process.send({ kind: 'done', report: { kind: 'prune' } }, () => process.exit(0));
}, 20));`;

/** 400 steps in some two seconds, evaluated after every hundred; it says whether it was told to go on from before. */
const healer = `
let [n, paused, resumed, timer] = [0, false, false, null];
const done = (stoppedBy) => process.send({ kind: 'done', report: { kind: 'heal', stoppedBy, resumed } }, () => process.exit(0));
const evaluate = () => process.send({ kind: 'evaluation', evaluation: { step: n, lossNats: 4 - n / 400, perplexity: 1, recoveredFraction: n / 400 } });
const start = () => {
  process.send({ kind: 'healing', adapter: {}, data: {}, steps: 400 });
  process.send({ kind: 'references', dense: null, pruned: { lossNats: 4, perplexity: 55 } });
  evaluate();
  timer = setInterval(() => {
    if (paused) return;
    process.send({ kind: 'step', step: { step: n++, lossNats: 4, gradNorm: 1, learningRate: 1, tokensPerSecond: 1 }, remainingSeconds: 1, memoryBytes: 1 });
    if (n % 100 === 0) evaluate();
    if (n >= 400) { clearInterval(timer); done('steps'); }
  }, 5);
};
process.on('message', ({ kind, recipe, action }) => {
  if (kind === 'cancel') process.exit(0);
  if (kind === 'start') { resumed = recipe.resume; start(); }
  if (kind !== 'control') return;
  if (action === 'stopAndSave') { clearInterval(timer); return done('request'); }
  paused = action === 'pause';
  process.send({ kind: 'paused', paused });
});`;

/** It analyses at once, but has never enough to stay. */
const slowToStay = `
process.on('message', ({ kind, recipe }) => {
  if (kind === 'cancel') process.exit(0);
  if (recipe.stay) return setInterval(() => {}, 1000);
  process.send({ kind: 'done', report: { kind: 'analyze' } }, () => process.exit(0));
});`;
