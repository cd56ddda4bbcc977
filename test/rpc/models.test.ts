// What the editor asks about models and plans before anything runs.
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { enginesOf } from '../cli/espalier';
import {
  analyzeRecipe,
  connect,
  errorOf,
  newFolder,
  reaches,
  serverOfFile,
  startServer,
  stories,
  stopServer,
  text,
} from './client';

const root = newFolder();
const workspace = join(root, 'workspace');
const hub = join(root, '.cache/hub');
beforeAll(async () => {
  mkdirSync(workspace);
  const copy = (...parts: string[]) => {
    cpSync(stories, join(...parts), { recursive: true });
    return join(...parts);
  };
  copy(workspace, 'models/base');
  for (const hidden of ['node_modules/x', '.git/y', 'a/b/c/too deep']) copy(workspace, hidden);
  rmSync(join(copy(workspace, 'models/unfinished'), 'model.safetensors'));
  truncateSync(join(copy(workspace, 'models/cut'), 'model.safetensors'), 5000);
  writeFileSync(join(copy(workspace, 'models/garbled'), 'config.json'), '{');
  writeFileSync(join(copy(workspace, 'models/foreign'), 'config.json'), '{"model_type":"bert"}');
  symlinkSync(workspace, join(workspace, 'models/circle'));
  const snapshot = join(hub, 'models--someone--stories/snapshots/abc');
  copy(snapshot);
  mkdirSync(join(hub, 'models--someone--stories/refs'));
  writeFileSync(join(hub, 'models--someone--stories/refs/main'), 'abc');
  for (let i = 0; i < 3000; i++) mkdirSync(join(workspace, `many/${i}`), { recursive: true });
});
const opened = serverOfFile(root, [workspace, hub, text]);
const base = join(workspace, 'models/base');

describe('models/find', () => {
  it('finds what can be computed, and links variants and analyses', async () => {
    const [pruneId, analyzeId] = [randomUUID(), randomUUID()];
    await opened.client.request('runs/start', {
      runId: pruneId,
      recipe: {
        kind: 'prune',
        model: base,
        rule: { kind: 'chosen', blocks: [2], attention: [], mlp: [] },
        source: null,
        repair: null,
        out: join(workspace, 'models/variant'),
        dtype: null,
        maxShardBytes: null,
        mergekit: null,
        compute: analyzeRecipe().compute,
      },
    });
    await opened.client.request('runs/start', { runId: analyzeId, recipe: analyzeRecipe({ model: base }) });
    for (const runId of [pruneId, analyzeId])
      expect((await reaches(opened.client, runId, ['done', 'failed'])).state).toBe('done');

    const began = performance.now();
    const { models, broken, cut } = await opened.client.request('models/find', { folders: [] });
    expect(performance.now() - began).toBeLessThan(5000);
    const shown = models.map(({ summary, ...rest }) => ({ name: summary.name, nBlocks: summary.nBlocks, ...rest }));
    expect(shown.sort((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: 'base', nBlocks: 5, parentFolder: null, analysisRunId: analyzeId },
      { name: 'someone/stories', nBlocks: 5, parentFolder: null, analysisRunId: null },
      { name: 'variant', nBlocks: 4, parentFolder: base, analysisRunId: null },
    ]);
    expect(broken).toEqual([
      { folder: join(workspace, 'models/cut'), message: expect.stringMatching(/may be cut off/) },
      { folder: join(workspace, 'models/foreign'), message: expect.stringMatching(/bert/) },
      { folder: join(workspace, 'models/garbled'), message: expect.stringMatching(/is not valid JSON/) },
    ]);
    expect(cut).toBeNull();
  });

  it('says of a single folder what is wrong with it', async () => {
    const inspect = (name: string) =>
      opened.client.request('models/inspect', { folder: join(workspace, 'models', name) });
    expect(await inspect('base')).toMatchObject({ name: 'base', nBlocks: 5, family: expect.any(String) });
    expect(await errorOf(inspect('cut'))).toMatchObject({ reason: 'damagedCheckpoint' });
    expect(await errorOf(inspect('foreign'))).toMatchObject({ reason: 'unsupportedModel' });
    expect(await errorOf(inspect('none'))).toMatchObject({ reason: 'notFound' });
  });
});

describe('plan/make', () => {
  it('gives the plan of a run without an engine, and its time once the device was measured', async () => {
    const fresh = await startServer(join(root, 'fresh'));
    const asking = await connect(fresh.lock, [workspace, text]);
    const recipes = [
      analyzeRecipe({ model: base }, 8),
      analyzeRecipe(
        { model: base, measure: { removals: 'sublayers', greedy: null, suggestions: 3, whatIf: [] }, stay: true },
        8,
      ),
    ];
    for (const [i, recipe] of recipes.entries()) {
      const before = await asking.request('plan/make', { recipe });
      expect(enginesOf(fresh.pid)).toEqual([]);
      const runId = randomUUID();
      await asking.request('runs/start', { runId, recipe });
      await reaches(asking, runId, ['done']);
      await asking.request('runs/cancel', { runId });
      const { plan } = await asking.request('runs/get', { runId });
      const { limitBytes, estimatedSeconds, operationsPerSecond, ...exact } = plan!;
      expect(before).toMatchObject(exact);
      expect(before.estimatedSeconds === null).toBe(i === 0);
      const after = await asking.request('plan/make', { recipe });
      expect(after.estimatedSeconds).toBeCloseTo(estimatedSeconds, 6);
    }
    await asking.close();
    await stopServer(fresh);
  });

  it('refuses what cannot fit, with the numbers', async () => {
    const recipe = analyzeRecipe({ model: base });
    const small = { ...recipe, compute: { ...recipe.compute, memoryLimitBytes: 1e6 } };
    expect(await errorOf(opened.client.request('plan/make', { recipe: small }))).toMatchObject({
      reason: 'cannotFit',
      message: expect.stringMatching(/but only 1 MB may be used/),
    });
  });

  it('says what a model and a text lack', async () => {
    const recipe = analyzeRecipe({ model: join(workspace, 'nothing') });
    expect(await errorOf(opened.client.request('plan/make', { recipe }))).toMatchObject({ reason: 'notFound' });
  });
});

describe('recipes', () => {
  it('are written as a file and read back over the wire', async () => {
    const recipe = analyzeRecipe({ model: base });
    const { yaml } = await opened.client.request('recipes/format', { recipe });
    expect(yaml).toMatch(/^# .*\nkind: analyze\n/);
    expect(await opened.client.request('recipes/parse', { yaml, file: join(workspace, 'r.yaml') })).toEqual({ recipe });
    const wrong = opened.client.request('recipes/parse', { yaml: `${yaml}\nx: 1`, file: join(workspace, 'r.yaml') });
    expect((await errorOf(wrong)).message).toMatch(/r\.yaml:\d+:1: There is no field x/);
  });
});
