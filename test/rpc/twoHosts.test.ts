// Servers of two hosts on one data folder, as where a home is shared: both work, none ends or marks what is the other's, and no
// number of an event is given twice, whatever becomes of a host.
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { AnalyzeRecipe } from '../../server/recipes/analyze/recipe';
import type { RunEvent, RunSummary } from '../../server/protocol/server';
import { analyzeRecipe, type Client, errorOf, newFolder, oneTo, reaches, stories, text } from './client';
import { type Host, inWhat, startHost } from './hosts';

const root = newFolder();
const hosts: Host[] = [];
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.kill().catch(() => {});
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

let nFolders = 0;
const newData = () => join(root, `data${nFolders++}`);
async function hostOn(data: string, name: string): Promise<Host> {
  const host = await startHost(name, data, root);
  hosts.push(host);
  return host;
}

const stories30 = join(root, 'stories.txt');
writeFileSync(stories30, readFileSync(text, 'utf8').repeat(30));
/** Takes minutes; it is never waited for. */
const { source, ...rest } = analyzeRecipe({
  measure: { removals: 'sublayers', greedy: null, suggestions: 0, whatIf: [] },
});
const long = { ...rest, source: { ...source, files: [stories30], sequences: 4000 } } as AnalyzeRecipe;

async function started(client: Client): Promise<string> {
  const runId = randomUUID();
  await client.request('runs/start', { runId, recipe: long });
  await reaches(client, runId, ['running']);
  return runId;
}

/** What a server looks for, it looks for every few seconds. */
const shows = (client: Client, runId: string, run: Partial<RunSummary>) =>
  expect
    .poll(async () => (await client.request('runs/list', {})).find((it) => it.runId === runId), { timeout: 20_000 })
    .toMatchObject(run);

const logOf = (data: string, runId: string): RunEvent[] =>
  readFileSync(join(data, 'runs', runId, 'events.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as RunEvent);
const numbersIn = (data: string, runId: string) => logOf(data, runId).map(({ seq }) => seq);
/** Who takes a run over begins behind all that its old server may have told. */
const expectAscending = (numbers: readonly number[]) =>
  expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
const statesIn = (data: string, runId: string) =>
  logOf(data, runId).flatMap(({ event }) => (event.kind === 'state' ? [event.state.state] : []));

/** As if the host had not given a sign of life for long. */
function silent({ lockFile }: Host): void {
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(lockFile, longAgo, longAgo);
}

describe(`two servers ${inWhat}, on one data folder`, () => {
  it('both work, and each sees the runs of the other and leaves them alone', async () => {
    const data = newData();
    const [a, b] = [await hostOn(data, 'hosta'), await hostOn(data, 'hostb')];
    expect(a.lockFile).not.toBe(b.lockFile);
    const [onA, onB] = [await a.connect(), await b.connect()];
    const runOfA = await started(onA);
    const runOfB = randomUUID();
    await onB.request('runs/start', { runId: runOfB, recipe: { kind: 'inspect', model: stories } });
    expect(await reaches(onB, runOfB, ['done', 'failed'])).toMatchObject({ state: 'done', host: null });

    await shows(onB, runOfA, { state: 'running', host: 'hosta' });
    await shows(onA, runOfB, { state: 'done', host: null });
    expect(await onA.request('runs/get', { runId: runOfB })).toMatchObject({ report: { kind: 'inspect' } });
    const refused = { reason: 'badState', message: expect.stringContaining('goes on on hosta') };
    expect(await errorOf(onB.request('runs/cancel', { runId: runOfA }))).toMatchObject(refused);
    expect(await errorOf(onB.request('runs/resume', { runId: runOfA }))).toMatchObject(refused);
    expect(await errorOf(onB.request('runs/delete', { runId: runOfA }))).toMatchObject(refused);
    const again = { runId: runOfA, recipe: long };
    expect(await onB.request('runs/start', again)).toMatchObject({ state: 'running', host: 'hosta' });

    // It is followed from there, and its events come on.
    await onB.request('runs/subscribe', { runId: runOfA, since: 0 });
    await expect.poll(() => onB.events(runOfA).length).toBeGreaterThan(0);
    const nHeard = onB.events(runOfA).length;
    await expect.poll(() => onB.events(runOfA).length, { timeout: 20_000 }).toBeGreaterThan(nHeard);
    expect(onB.events(runOfA).map(({ seq }) => seq)).toEqual(oneTo(onB.events(runOfA).length));

    // One may end and come again, the other works on.
    await b.stop();
    expect(existsSync(b.lockFile)).toBe(false);
    const c = await hostOn(data, 'hostb');
    const onC = await c.connect();
    await shows(onC, runOfA, { state: 'running', host: 'hosta' });
    expect(await onA.request('runs/get', { runId: runOfA })).toMatchObject({ run: { state: 'running', host: null } });
    expect(statesIn(data, runOfA)).toEqual(['queued', 'running']);

    await onA.request('runs/cancel', { runId: runOfA });
    await shows(onC, runOfA, { state: 'cancelled', host: null });
    expect(await onC.request('runs/delete', { runId: runOfA })).toMatchObject({ freedBytes: expect.any(Number) });
    await expect.poll(() => onA.request('runs/list', {}), { timeout: 20_000 }).toHaveLength(1);
  });

  it('of which one is gone: its run is interrupted there after a while, and resumed here by whoever wants it', async () => {
    const data = newData();
    const [a, b] = [await hostOn(data, 'hosta'), await hostOn(data, 'hostb')];
    const onB = await b.connect();
    const runId = await started(await a.connect());
    await shows(onB, runId, { state: 'running', host: 'hosta' });
    await a.kill();
    // A host that is silent for a moment is not gone.
    await new Promise((resolve) => setTimeout(resolve, 6000));
    expect(await onB.request('runs/get', { runId })).toMatchObject({ run: { state: 'running', host: 'hosta' } });
    silent(a);
    await shows(onB, runId, { state: 'interrupted', host: 'hosta' });
    expect(statesIn(data, runId)).toEqual(['queued', 'running']);

    const nBefore = numbersIn(data, runId).length;
    expect(await onB.request('runs/resume', { runId })).toMatchObject({ host: null });
    await reaches(onB, runId, ['running']);
    expect(statesIn(data, runId)).toEqual(['queued', 'running', 'queued', 'running']);
    // The host comes back, and finds the run where it is.
    const again = await hostOn(data, 'hosta');
    const onAgain = await again.connect();
    await shows(onAgain, runId, { state: 'running', host: 'hostb' });
    await onB.request('runs/cancel', { runId });
    await shows(onAgain, runId, { state: 'cancelled', host: null });
    const numbers = numbersIn(data, runId);
    expectAscending(numbers);
    expect(numbers.length).toBeGreaterThan(nBefore);
  });

  it('of which one slept while the other took its run over: it writes no more, and lives on', async () => {
    const data = newData();
    const [a, b] = [await hostOn(data, 'hosta'), await hostOn(data, 'hostb')];
    const [onA, onB] = [await a.connect(), await b.connect()];
    const runId = await started(onA);
    await shows(onB, runId, { state: 'running', host: 'hosta' });
    process.kill(a.serverPid, 'SIGSTOP');
    silent(a);
    await shows(onB, runId, { state: 'interrupted', host: 'hosta' });
    await onB.request('runs/resume', { runId });
    await reaches(onB, runId, ['running']);
    process.kill(a.serverPid, 'SIGCONT');
    await shows(onA, runId, { state: 'running', host: 'hostb' });
    expect(await onA.request('server/status', {})).toMatchObject({ nActiveRuns: 0 });
    expect(await onB.request('runs/get', { runId })).toMatchObject({ run: { state: 'running', host: null } });
    await onB.request('runs/cancel', { runId });
    await reaches(onB, runId, ['cancelled']);
    const numbers = numbersIn(data, runId);
    expectAscending(numbers);
    expect(statesIn(data, runId)).toEqual(['queued', 'running', 'queued', 'running', 'cancelled']);
  });
});
