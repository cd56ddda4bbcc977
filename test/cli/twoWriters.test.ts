// One output, two writers: real processes of the command line and of servers. The second is refused in a sentence that names the
// first, and what a dead one has left is nobody's.
import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { recipeSchema } from '../../server/recipes/kinds';
import { modelFolder } from '../fixtures';
import { storyText } from '../recipes/healing';
import { connect, errorOf, newFolder, reaches, startServer, stopServer } from '../rpc/client';
import { childrenOf, espalier, isRunning, type Started, start, until } from './espalier';

const root = newFolder();
const at = (...names: string[]) => join(root, ...names);
const [model, text, long] = [at('model'), at('text.txt'), at('long.txt')];
beforeAll(() => {
  cpSync(modelFolder('stories260k'), model, { recursive: true });
  writeFileSync(text, storyText(400));
  writeFileSync(long, storyText(30_000));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const running: Started[] = [];
const begin = (args: readonly string[]): Started => {
  const started = start(args);
  running.push(started);
  return started;
};
/** As after a power loss: nobody removes anything. */
async function kill({ process: child, pid, ended }: Started): Promise<void> {
  const all = [...childrenOf(pid), pid].filter(isRunning);
  for (const each of all) process.kill(each, 'SIGKILL');
  if (child.exitCode === null) await ended;
  await until('all are gone', () => !all.some(isRunning));
}
afterEach(async () => {
  for (const started of running.splice(0)) await kill(started);
});

const healing = (out: string, ...more: string[]) => [
  ...['heal', model, '--data', text, '--tokens', '64', '--steps', '100000', '--save-every', '2', '--out', out, ...more],
];
const study = (out: string) => {
  const file = `${out}.yaml`;
  const source = { kind: 'text', files: [long], sequences: 300, tokens: 256 };
  const recipe = { kind: 'study', model, source, methods: ['greedy'], counts: [2], perplexity: source, out };
  writeFileSync(file, stringify(recipe));
  return ['run', file];
};
const pruning = (out: string) => [
  ...['prune', model, '--method', 'removal', '--count', '2', '--text', long, '--sequences', '300', '--tokens', '256'],
  ...['--out', out],
];
const lockOf = (out: string) => at(`.${out}.espalier-lock`);
const ownerOf = (out: string): { pid: number } => JSON.parse(readFileSync(lockOf(out), 'utf8'));

/** The first is at work and owns its output. */
async function firstAtWork(out: string, args: string[]): Promise<Started> {
  const first = begin(args);
  const isOwned = () => existsSync(lockOf(out)) && readFileSync(lockOf(out), 'utf8').endsWith('\n');
  await until('it is at work', () => isOwned() && (args[0] !== 'heal' || existsSync(at(out, 'run'))));
  expect(childrenOf(first.pid)).toEqual([ownerOf(out).pid]);
  return first;
}

const refusedFor = (out: string, pid: number, work: string) =>
  new RegExp(`espalier: Another run is writing ${at(out)} \\(${work}, process ${pid} on .+, since .+Z\\); wait for it`);

describe.skipIf(process.platform !== 'linux')('a second writer is refused, and the first goes on', () => {
  it.each([
    { what: 'two prunings', out: 'pruned', first: pruning, second: pruning, work: 'prune' },
    { what: 'two studies', out: 'studied', first: study, second: study, work: 'study' },
    {
      what: 'a healing that is resumed meanwhile',
      out: 'healed',
      first: healing,
      second: (out: string) => healing(out, '--resume'),
      work: 'heal',
    },
    { what: 'a pruning where a healing is', out: 'both', first: healing, second: pruning, work: 'heal' },
  ])('$what', async ({ out, first, second, work }) => {
    const one = await firstAtWork(out, first(at(out)));
    const { pid } = ownerOf(out);
    const { code, stderr } = await espalier(second(at(out)));
    expect({ code }, stderr).toEqual({ code: 2 });
    expect(stderr).toMatch(refusedFor(out, pid, work));
    expect(isRunning(pid)).toBe(true);
    expect(ownerOf(out).pid).toBe(pid);
    await kill(one);
  });

  it('in a folder of a study that is at work', async () => {
    await firstAtWork('whole', study(at('whole')));
    const { code, stderr } = await espalier(pruning(at('whole/models/mine')));
    expect({ code }, stderr).toEqual({ code: 2 });
    expect(stderr).toMatch(refusedFor('whole', ownerOf('whole').pid, 'study'));
  });

  it('of two that begin at once, one works', async () => {
    const all = Array.from({ length: 4 }, () => begin(healing(at('raced'))));
    const refused = () => all.filter((each) => each.process.exitCode !== null);
    await until('one is at work', () => all.some((each) => each.stderr().includes('on cpu')));
    await until('the others are refused', () => refused().length === 3);
    for (const { stderr } of refused()) expect(stderr()).toMatch(refusedFor('raced', ownerOf('raced').pid, 'heal'));
  });
});

describe.skipIf(process.platform !== 'linux')('after a kill', () => {
  it('the output is nobody’s: a healing is resumed, and nothing of the dead is left', async () => {
    const one = await firstAtWork('killed', healing(at('killed')));
    const { pid } = ownerOf('killed');
    await until('a state is saved', () => existsSync(at('killed/run/state.json')));
    await kill(one);
    expect(ownerOf('killed').pid).toBe(pid);
    const second = begin(healing(at('killed'), '--resume'));
    await until('it goes on', () => second.stderr().includes('on cpu'));
    expect(ownerOf('killed').pid).not.toBe(pid);
    process.kill(second.pid, 'SIGINT');
    expect((await second.ended).code).toBe(130);
    expect(readdirSync(root).filter((name) => name.startsWith('.killed'))).toEqual([]);
  });
});

describe.skipIf(process.platform !== 'linux')('servers', () => {
  const recipe = (out: string, resume: boolean) =>
    recipeSchema.parse({
      kind: 'heal',
      model,
      data: { files: [text], tokens: 64 },
      loop: { steps: 100_000, saveEverySteps: 2 },
      out: at(out),
      resume,
    });

  it('a run of one server keeps another server and the command line away', async () => {
    const servers = [await startServer(at('one')), await startServer(at('two'))];
    const [first, second] = await Promise.all(servers.map(({ lock }) => connect(lock, [root])));
    const [runId, other] = [randomUUID(), randomUUID()];
    await first!.request('runs/start', { runId, recipe: recipe('served', false) });
    await until('it is at work', () => existsSync(at('served/run/state.json')));
    const { pid } = ownerOf('served');
    await second!.request('runs/start', { runId: other, recipe: recipe('served', true) });
    await reaches(second!, other, ['failed']);
    const { run } = await second!.request('runs/get', { runId: other });
    expect(run).toMatchObject({ state: 'failed', code: 'cannotWrite' });
    expect(JSON.stringify(run)).toContain(`(heal, process ${pid} on `);
    const typed = await espalier(healing(at('served'), '--resume'));
    expect(typed.stderr).toMatch(refusedFor('served', pid, 'heal'));
    expect(isRunning(pid)).toBe(true);
    await first!.request('runs/cancel', { runId });
    await reaches(first!, runId, ['cancelled']);
    await until('it is nobody’s', () => !existsSync(lockOf('served')));
    expect(await errorOf(first!.request('runs/control', { runId, action: 'pause' }))).toBeTruthy();
    for (const client of [first!, second!]) await client.close();
    for (const server of servers) await stopServer(server);
  });
});

mkdirSync(at('one'), { recursive: true });
