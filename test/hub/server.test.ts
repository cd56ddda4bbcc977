// Pulling by way of the server, as the editor asks for it.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  analyzeRecipe,
  type Client,
  connect,
  newFolder,
  reaches,
  type StartedServer,
  startServer,
  stopServer,
  stories,
  text,
} from '../rpc/client';
import { evaluateKind } from '../../server/recipes/evaluate/recipe';
import { publishKind } from '../../server/recipes/publish/recipe';
import { arc } from './dataSets';
import { type FakeHub, openFakeHub } from './fakeHub';
import { modelFolder } from '../fixtures';
import type { Recipe } from '../../server/recipes/kinds';

const root = newFolder();
const [cache, data] = [join(root, 'hub'), join(root, 'data')];
const token = 'hf_secretOfTheServer';
const variables = { HF_HUB_CACHE: cache, HF_TOKEN: token };
let hub: FakeHub;
let server: StartedServer;
beforeAll(async () => {
  const names = readdirSync(modelFolder('stories260k'));
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(modelFolder('stories260k'), name))]));
  hub = await openFakeHub({ 'o/stories': { files, gatedTo: [token] }, 'datasets/allenai/ai2_arc': arc });
  mkdirSync(cache);
  Object.assign(process.env, variables, { HF_ENDPOINT: hub.endpoint });
  server = await startServer(data);
  for (const name of [...Object.keys(variables), 'HF_ENDPOINT']) delete process.env[name];
});
afterAll(async () => {
  await stopServer(server);
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});

const measure = { removals: 'sublayers', greedy: null, suggestions: 0, whatIf: [] } as const;
/** Holds the device for longer than a pull takes. */
const longAnalysis = analyzeRecipe({ measure: { ...measure, whatIf: [] } }, 200);
const recipe = { kind: 'pull', repository: 'o/stories', revision: 'main' } as const;
const pullBy = async (client: Client): Promise<string> => {
  const runId = randomUUID();
  await client.request('runs/start', { runId, recipe });
  return runId;
};

describe('a pull of a client', () => {
  it('that has not opened the cache writes nothing there, and says so', async () => {
    const client = await connect(server.lock, [stories]);
    const runId = await pullBy(client);
    expect(await reaches(client, runId, ['failed'])).toMatchObject({
      code: 'outsideRoots',
      title: 'Pull stories',
      model: 'o/stories',
    });
    expect(readdirSync(cache)).toEqual([]);
    await client.close();
  });

  it('does not wait for the device, is found as a model, and leaves the token nowhere', async () => {
    const client = await connect(server.lock, [stories, text, cache]);
    const held = randomUUID();
    await client.request('runs/start', { runId: held, recipe: longAnalysis });
    await reaches(client, held, ['running']);
    const runId = await pullBy(client);
    await client.request('runs/subscribe', { runId, since: 0 });
    await reaches(client, runId, ['done']);
    const { report } = await client.request('runs/get', { runId });
    const out = join(cache, 'models--o--stories/snapshots', 'a'.repeat(40));
    expect(report).toMatchObject({ kind: 'pull', out, repository: 'o/stories', endpoint: hub.endpoint });
    const kinds = client.events(runId).map(({ event }) => event.kind);
    expect(kinds).toEqual(expect.arrayContaining(['download', 'progress']));
    const { models } = await client.request('models/find', { folders: [] });
    expect(models.map(({ summary }) => summary.folder)).toContain(out);
    expect((await client.request('runs/get', { runId: held })).run.state).toBe('running');
    await client.request('runs/cancel', { runId: held });
    const texts = readdirSync(data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'));
    expect(texts.length).toBeGreaterThan(4);
    expect(
      [server.log(), JSON.stringify(client.events(runId)), ...texts].filter((each) => each.includes(token)),
    ).toEqual([]);
    expect(existsSync(join(out, 'model.safetensors'))).toBe(true);
    await client.close();
  });

  it('of data is what an evaluation that names no folder reads, where the cache is open to it', async () => {
    const client = await connect(server.lock, [stories, cache]);
    const start = async (recipe: Recipe) => {
      const runId = randomUUID();
      await client.request('runs/start', { runId, recipe });
      return runId;
    };
    const tasks = ['arc_easy'];
    const evaluate = evaluateKind.schema.parse({ kind: 'evaluate', models: [stories], tasks, items: { end: 2 } });
    const early = await start(evaluate);
    expect(await reaches(client, early, ['failed'])).toMatchObject({
      code: 'notFound',
      message: expect.stringContaining('`espalier pull --task arc_easy`'),
    });
    const pulled = await start({ kind: 'pull', tasks, revision: 'main' });
    expect(await reaches(client, pulled, ['done'])).toMatchObject({ title: 'Pull arc_easy', model: 'arc_easy' });
    const runId = await start(evaluate);
    await reaches(client, runId, ['done']);
    const { report } = await client.request('runs/get', { runId });
    expect(report).toMatchObject({ tasks: [{ task: 'arc_easy', nItems: 2 }] });
    await client.close();
  });
});

describe('a publishing of a client', () => {
  it('takes the token that the editor keeps, does not wait for the device, and leaves the token nowhere', async () => {
    const client = await connect(server.lock, [stories, text]);
    const held = randomUUID();
    await client.request('runs/start', { runId: held, recipe: longAnalysis });
    await reaches(client, held, ['running']);
    hub.asked.length = 0;
    const [runId, hubToken] = [randomUUID(), 'hf_keptByTheEditor'];
    const publish = publishKind.schema.parse({ kind: 'publish', model: stories, repository: 'o/published' });
    await client.request('runs/start', { runId, recipe: publish, hubToken });
    await client.request('runs/subscribe', { runId, since: 0 });
    expect(await reaches(client, runId, ['done', 'failed'])).toMatchObject({
      state: 'done',
      title: 'Publish stories260k',
    });
    expect((await client.request('runs/get', { runId: held })).run.state).toBe('running');
    await client.request('runs/cancel', { runId: held });
    expect(new Set(hub.asked.filter((asked) => asked.server === 'hub').map((asked) => asked.token))).toEqual(
      new Set([hubToken]),
    );
    expect(client.events(runId).map(({ event }) => event.kind)).toEqual(expect.arrayContaining(['upload', 'progress']));
    const files = readdirSync(data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'));
    const said = [server.log(), JSON.stringify(client.events(runId)), ...files];
    expect(said.filter((each) => each.includes(hubToken))).toEqual([]);
    await client.close();
  });

  it('quotes nothing of a token that cannot be one', async () => {
    const client = await connect(server.lock, [stories]);
    const publish = publishKind.schema.parse({ kind: 'publish', model: stories, repository: 'o/published' });
    const refused = client.request('runs/start', { runId: randomUUID(), recipe: publish, hubToken: 'hf_with space' });
    const error: Error = await refused.then(
      () => new Error('accepted'),
      (reason) => reason,
    );
    expect([error.message, server.log()].filter((each) => /with space|accepted/.test(each))).toEqual([]);
    await client.close();
  });
});
