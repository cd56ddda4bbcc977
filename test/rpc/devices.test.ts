// Devices as clients of the server see them, on a machine that has a fast card by a report that is given: the list and
// plans.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PerplexityRecipe } from '../../server/recipes/perplexity/recipe';
import { repoRoot } from '../fixtures';
import { errorOf, newFolder, serverOfFile, stories, text } from './client';

process.env.ESPALIER_DEVICES = join(repoRoot, 'test/fixtures/devices/faster.json');
const opened = serverOfFile(newFolder());
const reason = 'auto is WebGPU on A fast card, measured at 4100 GFLOP/s; the CPU does 100 GFLOP/s.';

const recipe = (device: 'auto' | 'cpu'): PerplexityRecipe => ({
  kind: 'perplexity',
  models: [stories],
  drop: { blocks: [], attention: [], mlp: [] },
  source: {
    ...{ kind: 'text', files: [text], field: null, sequences: 1, tokens: 32, start: 0 },
    ...{ bos: 'none', sampling: 'consecutive', seed: 0 },
  },
  compute: { device, memory: 'auto', weights: 'f32', threads: 1, memoryLimitBytes: null },
});

describe('the devices of a server', () => {
  it('are listed, with what auto is', async () => {
    const given = JSON.parse(readFileSync(process.env.ESPALIER_DEVICES!, 'utf8'));
    expect(await opened.client.request('devices/list', { measure: false })).toEqual(given);
    expect(given.auto).toEqual({ device: 'webgpu', reason });
  });

  it('are in plans, with the reason where none is named', async () => {
    const plan = (device: 'auto' | 'cpu') => opened.client.request('plan/make', { recipe: recipe(device) });
    expect(await plan('auto')).toMatchObject({ device: 'webgpu', deviceReason: reason });
    expect(await plan('cpu')).not.toHaveProperty('deviceReason');
  });

  it('are not listed for a request that asks for something else', async () => {
    const asked = opened.client.connection.sendRequest('devices/list', { measure: 'yes' });
    expect(await errorOf(asked)).toMatchObject({ reason: 'usage' });
  });
});
