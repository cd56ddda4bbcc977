// Publishing on the fake hub: what is there afterwards, what was sent, and what becomes of everything that can go wrong.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readHubSettings } from '../../server/hub/hubSettings';
import { pullModel } from '../../server/hub/pullModel';
import type { PublishCalls } from '../../server/hub/publishCalls';
import { lookAtTarget, type PublishAs, publishFiles, writingAccount } from '../../server/hub/publishFiles';
import { withFolder } from '../../server/recipes/publish/folder';
import { sha256 } from './fake/answer';
import { addCommit, commitOf } from './fake/repositories';
import { type Asked, type FakeHub, type Fault, once, openFakeHub } from './fakeHub';
import { beside, notNeeded, shards, single, someBytes } from './models';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'publish-')));
const token = 'hf_mayWrite';
const accounts = {
  [token]: { name: 'o', role: 'write' },
  hf_mayRead: { name: 'o', role: 'read' },
  hf_other: { name: 'other', role: 'write', writesTo: ['other'] },
} as const;

function folderOf(name: string, files: Readonly<Record<string, Buffer | string>>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name, path)), { recursive: true });
    writeFileSync(join(root, name, path), content);
  }
  return join(root, name);
}
const folders = {
  sharded: folderOf('sharded', { ...beside, ...notNeeded, ...shards }),
  single: folderOf('single', { ...beside, 'model.safetensors': someBytes(200_000, 9) }),
  adapter: folderOf('adapter', {
    'adapter_config.json': '{}',
    'adapter_model.safetensors': someBytes(2000, 1),
    'README.md': 'An adapter.',
    'run/state.safetensors': someBytes(3000, 1),
  }),
  pickled: folderOf('pickled', { 'config.json': '{}', 'pytorch_model.bin': 'x' }),
};

let hub: FakeHub;
beforeAll(async () => {
  hub = await openFakeHub({ 'o/there': single, 'o/open': single, 'o/gated': { ...single, gatedTo: [] } }, { accounts });
});
afterAll(async () => {
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  hub.asked.length = 0;
  hub.fault = () => null;
  // Nothing large is there from another test.
  hub.state.verified.clear();
});

interface Given extends Partial<PublishAs> {
  readonly token?: string;
  readonly branch?: string;
  readonly environment?: Record<string, string>;
  readonly beforeCommit?: () => Promise<void>;
  readonly signal?: AbortSignal;
}

/** Pauses take no time. */
async function publish(folder: string, repository: string, given: Given = {}) {
  const environment = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: given.token ?? token, ...given.environment };
  const settings = await readHubSettings(environment, root);
  const { signal = new AbortController().signal, beforeCommit } = given;
  const pauses: number[] = [];
  const pause = async (ms: number) => void pauses.push(ms);
  const calls: PublishCalls = {
    settings,
    subject: { kind: 'models', repository, revision: given.branch ?? 'main', publishing: 'hub' },
    patience: { signal, reconnects: true, publishing: 'hub', pause },
  };
  const as = { visibility: 'private', tag: null, collection: null, ...given } as const;
  await writingAccount(calls);
  const target = await lookAtTarget(calls, as);
  let sentBytes = 0;
  const published = await withFolder(folder, [], ({ files, refuseChanged }) =>
    publishFiles(calls, { ...as, files, title: 'Publish' }, target, {
      onHashed() {},
      onBytes: (_, n) => void (sentBytes += n),
      onThere() {},
      async beforeCommit() {
        await beforeCommit?.();
        await refuseChanged();
      },
    }),
  );
  return { ...published, target, sentBytes, pauses };
}

const refusedWith = (folder: string, repository: string, given?: Given): Promise<{ code: string; message: string }> =>
  publish(folder, repository, given).then(
    () => ({ code: 'accepted', message: '' }),
    (error) => error,
  );

const repositoryOf = (name: string) => hub.state.repositories.get(name)!;
const filesOf = (name: string, revision = 'main') =>
  repositoryOf(name).commits.get(commitOf(repositoryOf(name), revision)!)!;
const hashesOf = (files: ReadonlyMap<string, Buffer>) =>
  Object.fromEntries([...files].filter(([path]) => path !== '.gitattributes').map(([path, it]) => [path, sha256(it)]));
const hashesIn = (folder: string, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, sha256(readFileSync(join(folder, name)))]));
const uploads = () => hub.asked.filter(({ method }) => method === 'PUT');
const commits = () => hub.asked.filter(({ path }) => path.includes('/commit/'));

describe('a published folder', () => {
  it.each([
    { name: 'sharded' as const, files: [...Object.keys(beside), ...Object.keys(shards)] },
    { name: 'single' as const, files: [...Object.keys(beside), 'model.safetensors'] },
    { name: 'adapter' as const, files: ['adapter_config.json', 'adapter_model.safetensors', 'README.md'] },
  ])('$name is a private repository with what a model is made of, in one commit', async ({ name, files }) => {
    const { commit, target, removed } = await publish(folders[name], `o/${name}`);
    expect(target.creates).toBe('repository');
    expect(repositoryOf(`o/${name}`)).toMatchObject({ isPrivate: true, branches: new Map([['main', commit]]) });
    expect(hashesOf(filesOf(`o/${name}`))).toEqual(hashesIn(folders[name], files));
    expect({ nCommits: commits().length, removed }).toEqual({ nCommits: 1, removed: [] });
  });

  it('comes back by a pull, bit by bit', async () => {
    await publish(folders.sharded, 'o/round');
    const environment = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: token, HF_HUB_CACHE: join(root, 'cache') };
    const pulled = await pullModel(
      await readHubSettings(environment, root),
      { repository: 'o/round', revision: 'main' },
      { signal: new AbortController().signal, onPlan() {}, onProgress() {}, onWarning() {} },
    );
    const names = pulled.files.map(({ path }) => path);
    expect(names).toHaveLength(10);
    expect(hashesIn(pulled.folder, names)).toEqual(hashesIn(folders.sharded, names));
  });

  it('is sent and committed once, however often it is published', async () => {
    const { commit } = await publish(folders.single, 'o/twice', { tag: 'v1' });
    hub.asked.length = 0;
    const again = await publish(folders.single, 'o/twice', { tag: 'v1' });
    expect(again).toMatchObject({ commit, wasThere: true, sentBytes: 0 });
    expect([...uploads(), ...commits()]).toEqual([]);
    expect(repositoryOf('o/twice').tags).toEqual(new Map([['v1', commit]]));
  });

  it('takes the place of a model that was there, and leaves what is no part of one', async () => {
    await publish(folders.sharded, 'o/other');
    const other = repositoryOf('o/other');
    addCommit(other, 'main', new Map([...filesOf('o/other'), ['notes.md', Buffer.from('Mine.')]]), 'notes');
    const { removed } = await publish(folders.single, 'o/other');
    expect([...removed].sort()).toEqual(Object.keys(shards).sort());
    const names = [...Object.keys(beside), 'model.safetensors', 'notes.md', '.gitattributes'].sort();
    expect([...filesOf('o/other').keys()].sort()).toEqual(names);
  });

  it('may have a branch of its own, a tag, and a place in a collection', async () => {
    const before = repositoryOf('o/open').branches.get('main');
    const given = { visibility: 'public', branch: 'pruned/5', tag: 'v2', collection: 'Pruned models' } as const;
    const { commit, collection } = await publish(folders.sharded, 'o/open', given);
    const { branches, tags } = repositoryOf('o/open');
    expect(branches).toEqual(
      new Map([
        ['main', before],
        ['pruned/5', commit],
      ]),
    );
    expect(tags).toEqual(new Map([['v2', commit]]));
    expect(collection).toMatch(/^o\/pruned-models-[0-9a-f]{24}$/);
    await publish(folders.single, 'o/second', { collection: 'Pruned models' });
    await publish(folders.single, 'o/third', { collection });
    expect(hub.state.collections.get(collection!)!.items.map(({ id }) => id)).toEqual([
      'o/open',
      'o/second',
      'o/third',
    ]);
  });

  it('goes in the parts that the hub asks for', async () => {
    const parts = await openFakeHub({}, { accounts, partBytes: 64_000 });
    const environment = { HF_ENDPOINT: parts.endpoint };
    await publish(folders.sharded, 'o/parts', { environment });
    const stored = parts.state.repositories.get('o/parts')!;
    const files = hashesOf(stored.commits.get(stored.branches.get('main')!)!);
    expect(files).toEqual(hashesIn(folders.sharded, [...Object.keys(beside), ...Object.keys(shards)]));
    expect(parts.asked.filter(({ method }) => method === 'PUT')).toHaveLength(5 + 3 + 1);
    await parts.close();
  });
});

const to = (pattern: RegExp, fault: Fault) => (asked: Asked) =>
  pattern.test(`${asked.method} ${asked.path}`) ? fault : null;

describe('the token', () => {
  it('goes to the endpoint, and not to the store', async () => {
    await publish(folders.single, 'o/tokens');
    const by = (server: Asked['server']) =>
      new Set(hub.asked.flatMap((it) => (it.server === server ? [it.token] : [])));
    expect([by('hub'), by('store')]).toEqual([new Set([token]), new Set([null])]);
  });
});

describe('what is in the air goes again', () => {
  it.each([
    { what: 'a connection that breaks off', fault: to(/^PUT/, { receive: { cutAfter: 50_000 } }) },
    { what: 'a store out of order', fault: to(/^PUT/, { status: 503 }) },
    {
      what: 'a hub that asks for patience',
      fault: to(/batch/, { status: 429, headers: { ratelimit: '"api";r=0;t=9' } }),
    },
    { what: 'a branch that another commit holds', fault: to(/commit/, { status: 409 }) },
    { what: 'a commit whose answer is lost', fault: to(/commit/, { answerLost: true }) },
  ])('after $what', async ({ what, fault }) => {
    hub.fault = once(fault);
    const name = `o/${what.replace(/\W+/g, '-')}`;
    const { commit, pauses } = await publish(folders.single, name);
    expect(pauses.length).toBeGreaterThan(0);
    expect(repositoryOf(name).branches.get('main')).toBe(commit);
    expect(repositoryOf(name).commits.size).toBe(2);
    expect(hashesOf(filesOf(name))).toEqual(hashesIn(folders.single, [...Object.keys(beside), 'model.safetensors']));
  });
});

describe('one sentence', () => {
  const rows: {
    what: string;
    repository?: string;
    folder?: string;
    fault?: FakeHub['fault'];
    given?: Given;
    code: string;
    says: RegExp;
  }[] = [
    {
      what: 'no token',
      given: { token: '' },
      code: 'noAccess',
      says: /^Publishing needs a token that may write: make one on http\S+\/settings\/tokens, and set HF_TOKEN/,
    },
    {
      what: 'a void token',
      given: { token: 'hf_expired' },
      code: 'noAccess',
      says: /does not accept the token in HF_TOKEN; make one that may write on/,
    },
    {
      what: 'a token that may only read',
      given: { token: 'hf_mayRead' },
      code: 'noAccess',
      says: /^The token in HF_TOKEN \(of o\) may only read; make one that may write/,
    },
    {
      what: 'a repository of others',
      given: { token: 'hf_other' },
      code: 'noAccess',
      says: /does not let the token in HF_TOKEN write to o\/refused; take a token with the right to write there/,
    },
    {
      what: 'a gated repository of others',
      fault: to(/refs/, { status: 403, headers: { 'x-error-code': 'GatedRepo' } }),
      repository: 'o/there',
      given: { visibility: 'public' },
      code: 'noAccess',
      says: /^o\/there is gated, and the account of the token in HF_TOKEN has no access to it:/,
    },
    {
      what: 'a repository that went',
      fault: to(/preupload/, { status: 404, headers: { 'x-error-code': 'RepoNotFound' } }),
      code: 'notFound',
      says: /has no o\/refused that the token in HF_TOKEN may see, though publishing began in it;/,
    },
    {
      what: 'an open repository where a private one is meant',
      repository: 'o/there',
      code: 'badState',
      says: /^o\/there is there and open to everybody; add --public/,
    },
    {
      what: 'a tag that is taken',
      repository: 'o/open',
      given: { visibility: 'public', tag: 'v2' },
      code: 'badState',
      says: /^o\/open has a tag v2 for something else; give another --tag\.$/,
    },
    {
      what: 'a hub that is busy for long',
      fault: to(/commit/, { status: 409 }),
      code: 'badState',
      says: /is busy with another change of o\/refused \(409\); publish again in a minute: files that were sent whole are kept\.$/,
    },
    {
      what: 'too many requests for long',
      fault: to(/batch/, { status: 429, headers: { ratelimit: '"api";r=0;t=290' } }),
      code: 'network',
      says: /takes no more requests for now \(429\): wait 290 s, and run it again; files that were sent whole are kept\.$/,
    },
    {
      what: 'a hub out of order',
      fault: to(/preupload/, { status: 502 }),
      code: 'network',
      says: /is out of order \(502\)/,
    },
    {
      what: 'a store out of order',
      fault: to(/^PUT/, { status: 500 }),
      code: 'network',
      says: /is out of order \(500\)/,
    },
    {
      what: 'a store that refuses',
      fault: to(/^PUT .*/, { status: 403 }),
      code: 'network',
      says: /^The store of large files does not take \S+ of o\/refused \(403\): its address may have expired/,
    },
    {
      what: 'a connection that breaks off each time',
      fault: to(/^PUT/, { receive: { cutAfter: 0 } }),
      code: 'network',
      says: /cannot be reached, or breaks off \(\w+\); .*: files that were sent whole are kept\.$/,
    },
    {
      what: 'another content than was sent',
      fault: to(/^PUT/, { receive: { changed: 77 } }),
      code: 'badData',
      says: /^\S+ arrived with another content than was sent, so that nothing was added to o\/refused:/,
    },
    {
      what: 'a README that the hub does not take',
      fault: to(/commit/, {
        status: 400,
        headers: { 'x-error-message': 'Invalid metadata in README.md. "license" must be one of these.' },
      }),
      code: 'badData',
      says: /does not take this for o\/refused \(400: Invalid metadata in README\.md\. "license" must be one of these\); correct that/,
    },
    {
      what: 'a page in place of an answer',
      fault: to(/whoami/, { redirect: '/o/there/resolve/main/README.md' }),
      code: 'network',
      says: /does not answer as a hub does;/,
    },
    {
      what: 'nobody at the endpoint',
      given: { environment: { HF_ENDPOINT: 'http://127.0.0.1:61' } },
      code: 'network',
      says: /^http:\/\/127\.0\.0\.1:61 cannot be reached/,
    },
    { what: 'offline', given: { environment: { HF_HUB_OFFLINE: '1' } }, code: 'usage', says: /^HF_HUB_OFFLINE is set/ },
    {
      what: 'pickles alone',
      folder: folders.pickled,
      code: 'unsupportedModel',
      says: /^pickled has no model\.safetensors but pickled weights.*; give the folder of a model or an adapter/,
    },
  ];
  it.each(rows)(
    'says $what',
    async ({ repository = 'o/refused', folder = folders.single, fault, given, code, says }) => {
      const heads = () =>
        [...hub.state.repositories.values()]
          .filter(({ name }) => name !== 'o/refused')
          .map(({ branches }) => [...branches]);
      const before = heads();
      if (fault) hub.fault = fault;
      const error = await refusedWith(folder, repository, given);
      expect(error).toMatchObject({ code, message: expect.stringMatching(says) });
      expect(error.message.split(/[.!?] [A-Z]/)).toHaveLength(1);
      expect(JSON.stringify([error, error.message])).not.toMatch(/hf_/);
      expect(heads()).toEqual(before);
      const made = hub.state.repositories.get('o/refused');
      if (made) expect([...made.commits.values()].flatMap((files) => [...files.keys()])).toEqual(['.gitattributes']);
    },
  );

  it('says a branch that somebody else has changed meanwhile, and adds nothing to it', async () => {
    await publish(folders.single, 'o/moved');
    const moved = repositoryOf('o/moved');
    const beforeCommit = async () => void addCommit(moved, 'main', new Map(), 'of somebody else');
    const error = await refusedWith(folders.sharded, 'o/moved', { beforeCommit });
    expect(error).toMatchObject({
      code: 'badState',
      message: expect.stringMatching(
        /^main of o\/moved was changed by somebody else meanwhile, so that nothing was added to it;/,
      ),
    });
    expect(filesOf('o/moved').size).toBe(0);
  });

  it('says a file that is another one by now', async () => {
    const changing = join(root, 'changing');
    cpSync(folders.single, changing, { recursive: true });
    const beforeCommit = async () => writeFileSync(join(changing, 'config.json'), '{"model_type":"other"}');
    const error = await refusedWith(changing, 'o/changing', { beforeCommit });
    expect(error).toMatchObject({
      code: 'damagedCheckpoint',
      message: expect.stringMatching(/config\.json was changed while/),
    });
    expect([...filesOf('o/changing').keys()]).toEqual(['.gitattributes']);
  });

  it('says that it was cancelled, and changes no branch', async () => {
    const abort = new AbortController();
    hub.onReceived = ({ method }) => method === 'PUT' && abort.abort();
    const error = await refusedWith(folders.sharded, 'o/cancelled', { signal: abort.signal }).finally(() => {
      hub.onReceived = () => {};
    });
    expect(error).toMatchObject({
      code: 'cancelled',
      message: expect.stringMatching(/^Cancelled; no branch was changed/),
    });
    expect([...filesOf('o/cancelled').keys()]).toEqual(['.gitattributes']);
  });
});
