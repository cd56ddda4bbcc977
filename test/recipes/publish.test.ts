// Publishing real folders: what does not pass its proof stays here, a card goes along, and a study becomes a collection.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { publishKind } from '../../server/recipes/publish/recipe';
import { pruneKind } from '../../server/recipes/prune/recipe';
import { modelFolder } from '../fixtures';
import { type FakeHub, openFakeHub } from '../hub/fakeHub';
import { runHere } from './runHere';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'publish-recipe-')));
const original = modelFolder('stories260k');
const pruned = join(root, 'pruned');
let hub: FakeHub;
beforeAll(async () => {
  hub = await openFakeHub({});
  Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_TOKEN: 'hf_ofATest' });
  const rule = { kind: 'chosen', blocks: [2] };
  await runHere<'prune'>(pruneKind.schema.parse({ kind: 'prune', model: original, rule, out: pruned }));
});
afterAll(async () => {
  for (const name of ['HF_ENDPOINT', 'HF_TOKEN']) delete process.env[name];
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  hub.asked.length = 0;
});

const publish = (model: string, given: object = {}) =>
  runHere<'publish'>(publishKind.schema.parse({ kind: 'publish', model, repository: 'o/stories', original, ...given }));
const filesOf = (name: string) => {
  const { branches, commits } = hub.state.repositories.get(name)!;
  return commits.get(branches.get('main')!)!;
};
const readmeOf = (name: string) => filesOf(name).get('README.md')!.toString();

/** With another byte in the middle of its weights: an exponent of ones. */
function damaged(): string {
  const folder = join(root, 'damaged');
  cpSync(pruned, folder, { recursive: true });
  const weights = readFileSync(join(folder, 'model.safetensors'));
  weights.writeUInt32LE(0x7fc00000, weights.length - 4);
  writeFileSync(join(folder, 'model.safetensors'), weights);
  return folder;
}

describe('a folder', () => {
  it('is published with its card, and the words of a person in it', async () => {
    const { published } = await publish(pruned, { words: 'For bedtime only.' });
    expect(published).toMatchObject([{ repository: 'o/stories', creates: 'repository', wasThere: false }]);
    expect(published[0]!.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect(readmeOf('o/stories')).toContain('For bedtime only.');
    expect([...filesOf('o/stories').keys()]).toContain('model.safetensors');
  });

  it('is not published when it fails its proof, and nothing is made for it', async () => {
    const before = [...hub.state.repositories.keys()];
    await expect(publish(damaged(), { repository: 'o/damaged' })).rejects.toMatchObject({
      code: 'damagedCheckpoint',
      message: expect.stringMatching(
        /^damaged is not published, since it fails the check that every weight is a number: \S/,
      ),
    });
    expect([...hub.state.repositories.keys()]).toEqual(before);
  });

  it('says by a dry run what it would publish, what failed, and sends nothing', async () => {
    const { published, sentBytes } = await publish(join(root, 'damaged'), { repository: 'o/dry', dryRun: true });
    expect({ commit: published[0]!.commit, sentBytes }).toEqual({ commit: null, sentBytes: 0 });
    expect(published[0]!.checks.filter(({ outcome }) => outcome === 'failed').map(({ check }) => check)).toEqual([
      'finite',
    ]);
    expect(published[0]!.card[0]!.text).toMatch(/^---\n/);
    expect(hub.asked.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('may have a README of its own, which stays here unless it is asked for', async () => {
    const own = join(root, 'own');
    cpSync(pruned, own, { recursive: true });
    writeFileSync(join(own, 'README.md'), '# Mine\n');
    const made = await publish(own, { repository: 'o/made' });
    expect(made.published[0]!.warnings.join()).toContain('README.md of own was not made here');
    expect(readmeOf('o/made')).not.toContain('# Mine');
    await publish(own, { repository: 'o/own', card: 'folder' });
    expect(readmeOf('o/own')).toBe('# Mine\n');
  });
});

describe('a study', () => {
  it('becomes a repository for each model that it has kept, in one collection', async () => {
    const study = join(root, 'study');
    for (const id of ['1-deepest', '1-taylor-healed']) cpSync(pruned, join(study, 'models', id), { recursive: true });
    mkdirSync(join(study, 'adapters'));
    writeFileSync(join(study, 'study.json'), '{}');
    const { published, collection } = await publish(study, { repository: 'o/tiny' });
    const names = ['o/tiny-1-deepest', 'o/tiny-1-taylor-healed'];
    expect(published.map(({ repository }) => repository)).toEqual(names);
    expect(hub.state.collections.get(collection!)).toMatchObject({
      title: 'tiny',
      isPrivate: true,
      items: names.map((id) => ({ id, type: 'model' })),
    });
  });

  it('that has kept nothing says so', async () => {
    const empty = join(root, 'empty');
    mkdirSync(empty);
    writeFileSync(join(empty, 'study.json'), '{}');
    await expect(publish(empty)).rejects.toMatchObject({
      code: 'notFound',
      message: expect.stringMatching(/keepModels/),
    });
  });
});
