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
import { type FakeHub, openFakeHub } from './fakeHub';
import { modelFolder } from '../fixtures';

const root = newFolder();
const [cache, data] = [join(root, 'hub'), join(root, 'data')];
const token = 'hf_secretOfTheServer';
const variables = { HF_HUB_CACHE: cache, HF_TOKEN: token };
let hub: FakeHub;
let server: StartedServer;
beforeAll(async () => {
  const names = readdirSync(modelFolder('stories260k'));
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(modelFolder('stories260k'), name))]));
  hub = await openFakeHub({ 'o/stories': { files, gatedTo: [token] } });
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
});
