// Pulling from the fake hub: what is in the cache afterwards, what was asked for, and what becomes of everything that can go wrong.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DownloadPlan } from '../../server/protocol/engine';
import { readHubSettings } from '../../server/hub/hubSettings';
import { pullModel } from '../../server/hub/pullModel';
import { parseRepository } from '../../server/shared/repositoryName';
import { installFaults } from '../faults/layer';
import { gitHash, sha256 } from './fake/answer';
import { isLarge, mainCommit } from './fake/repositories';
import { type Asked, type FakeHub, type Fault, once, openFakeHub } from './fakeHub';
import { beside, sharded, shards, single, someBytes } from './models';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'pull-')));
const token = 'hf_knownToken';
let hub: FakeHub;
beforeAll(async () => {
  hub = await openFakeHub({
    'o/sharded': sharded,
    'o/single': single,
    'o/gated': { ...single, gatedTo: [token] },
    'o/private': { ...single, isPrivate: true },
    'o/pickled': { files: { 'config.json': '{}', 'pytorch_model.bin': 'x' } },
    'o/twins': {
      files: {
        ...single.files,
        'special_tokens_map.json': '{}',
        'LICENSE.txt': 'You may.',
        'vocab.json': beside['tokenizer.json'],
      },
    },
    'o/adapter': { files: { 'adapter_config.json': '{}', 'adapter_model.safetensors': someBytes(2000, 1) } },
    'o/huge': { ...single, saidBytes: { 'model.safetensors': 9e15 } },
    'o/hole': { files: { ...beside, 'model.safetensors.index.json': shards['model.safetensors.index.json'] } },
    'o/escape': { files: { ...single.files, '../../x.safetensors': 'x', 'a\\b.model': 'x' } },
  });
});
afterAll(async () => {
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  hub.asked.length = 0;
  hub.fault = () => null;
});

let nPulls = 0;
const newCache = () => join(root, `cache-${nPulls++}`);

interface Given {
  readonly cache?: string;
  readonly token?: string;
  readonly environment?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** What is told meanwhile is in `said`; pauses take no time and are counted. */
async function pull(name: string, { cache = newCache(), token: own, environment, signal }: Given = {}) {
  const settings = await readHubSettings(
    { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, ...(own && { HF_TOKEN: own }), ...environment },
    root,
  );
  const said = {
    plans: [] as DownloadPlan[],
    fractions: [] as number[],
    warnings: [] as string[],
    pauses: [] as number[],
  };
  const pulled = await pullModel(settings, parseRepository(name), {
    signal: signal ?? new AbortController().signal,
    onPlan: (plan) => void said.plans.push(plan),
    onProgress: (fraction) => void said.fractions.push(fraction),
    onWarning: (text) => void said.warnings.push(text),
    pause: async (ms) => void said.pauses.push(ms),
  });
  return { ...pulled, said, cache };
}

const refusedWith = (name: string, given?: Given): Promise<{ code: string; message: string }> =>
  pull(name, given).then(
    () => ({ code: 'accepted', message: '' }),
    (error) => error,
  );

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

const contentOf = (name: string): Buffer =>
  Buffer.from(({ ...sharded.files, ...single.files } as Record<string, Buffer | string>)[name]!);
const blobsOf = (cache: string, name: string) => join(cache, `models--${name.replace('/', '--')}`, 'blobs');
const filesAsked = () => hub.asked.filter(({ path }) => /\/resolve\/|signature/.test(path));

describe('a pulled model', () => {
  it.each([
    { name: 'o/sharded', weights: Object.keys(shards) },
    { name: 'o/single', weights: ['model.safetensors'] },
  ])('$name has what is needed, by links into blobs that are called by their hashes', async ({ name, weights }) => {
    const { folder, commit, cache, files } = await pull(name);
    expect(commit).toBe(mainCommit);
    expect(folder).toBe(join(dirname(blobsOf(cache, name)), 'snapshots', mainCommit));
    const names = [...Object.keys(beside), ...weights].sort();
    expect(filesIn(folder)).toEqual(names);
    expect(files.map(({ path }) => path).sort()).toEqual(names);
    for (const path of names) {
      const content = contentOf(path);
      expect(sha256(readFileSync(join(folder, path)))).toBe(sha256(content));
      const hash = isLarge(content) ? sha256(content) : gitHash(content);
      expect(readlinkSync(join(folder, path))).toBe(`${path.includes('/') ? '../' : ''}../../blobs/${hash}`);
    }
    expect(filesIn(blobsOf(cache, name))).toHaveLength(names.length);
    expect(readFileSync(join(dirname(blobsOf(cache, name)), 'refs/main'), 'utf8')).toBe(mainCommit);
  });

  it('is said to take so much before it is fetched, and its progress goes from 0 to 1', async () => {
    const { said, cache } = await pull('o/single');
    const sizeBytes = [...Object.keys(beside), 'model.safetensors'].reduce(
      (sum, name) => sum + contentOf(name).length,
      0,
    );
    expect(said.plans).toMatchObject([
      { sources: [{ repository: 'o/single' }], cache, nFiles: 8, sizeBytes, fetchBytes: sizeBytes },
    ]);
    expect(said.plans[0]!.freeBytes).toBeGreaterThan(0);
    expect(said.fractions).toEqual([...said.fractions].sort((a, b) => a - b));
    expect(said.fractions.at(-1)).toBe(1);
  });

  it('is not fetched again, and says nothing of a plan', async () => {
    const { cache } = await pull('o/sharded');
    hub.asked.length = 0;
    const again = await pull('o/sharded', { cache });
    expect(filesAsked()).toEqual([]);
    expect(again).toMatchObject({ fetchedBytes: 0, said: { plans: [] } });
  });

  it('shares its blobs with its other revisions', async () => {
    const { cache, folder } = await pull('o/sharded');
    hub.asked.length = 0;
    const other = await pull('o/sharded@v1.0', { cache });
    expect(filesAsked()).toEqual([]);
    expect(filesIn(other.folder)).toEqual(filesIn(folder));
    expect(filesIn(join(dirname(blobsOf(cache, 'o/sharded')), 'refs'))).toEqual(['main', 'v1.0']);
  });

  it('may have files that hold the same, which come once', async () => {
    const { folder, cache, said } = await pull('o/twins');
    expect(filesIn(folder)).toHaveLength(11);
    expect(filesIn(blobsOf(cache, 'o/twins'))).toHaveLength(8);
    const large = filesAsked().filter(({ path }) => /(tokenizer|vocab)\.json\?/.test(path));
    expect(large).toHaveLength(1);
    expect(said.fractions.at(-1)).toBe(1);
  });

  it('may be an adapter', async () => {
    const { folder } = await pull('o/adapter');
    expect(filesIn(folder)).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  });

  it('leaves paths alone that lead out of it', async () => {
    const { cache, folder } = await pull('o/escape');
    expect(filesIn(folder)).toEqual([...Object.keys(beside), 'model.safetensors'].sort());
    expect(filesIn(cache).filter((name) => /x\.safetensors|b\.model/.test(name))).toEqual([]);
  });

  it('goes round the places of a model that a dead download has left', async () => {
    const { cache, folder } = await pull('o/single');
    rmSync(realpathSync(join(folder, 'model.safetensors')));
    const again = await pull('o/single', { cache });
    expect(again.fetchedBytes).toBe(200_000);
    expect(sha256(readFileSync(join(folder, 'model.safetensors')))).toBe(sha256(contentOf('model.safetensors')));
  });
});

describe('the token', () => {
  it('goes to the endpoint, and not to where that leads', async () => {
    await pull('o/gated', { token });
    const by = (server: Asked['server']) =>
      new Set(hub.asked.flatMap((it) => (it.server === server ? [it.token] : [])));
    expect(by('hub')).toEqual(new Set([token]));
    expect(by('store')).toEqual(new Set([null]));
  });

  it('follows a model to its new name', async () => {
    hub.fault = ({ path, server }) =>
      server === 'hub' && path.includes('o/renamed') ? { redirect: path.replace('o/renamed', 'o/gated') } : null;
    const { folder } = await pull('o/renamed', { token });
    expect(filesIn(folder)).toContain('model.safetensors');
  });
});

const to = (pattern: RegExp, fault: Fault) => (asked: Asked) => (pattern.test(asked.path) ? fault : null);
const weights = /model\.safetensors\?signature/;

describe('one sentence', () => {
  const rows: { what: string; name?: string; fault?: FakeHub['fault']; given?: Given; code: string; says: RegExp }[] = [
    {
      what: 'no such model',
      name: 'o/none',
      code: 'notFound',
      says: /^http\S+ has no model o\/none that is open to everybody; .* HF_TOKEN/,
    },
    { what: 'a private model', name: 'o/private', code: 'notFound', says: /set HF_TOKEN if it is private\.$/ },
    {
      what: 'no such revision',
      name: 'o/single@nope',
      code: 'notFound',
      says: /^o\/single has no revision nope; give one of its branches/,
    },
    {
      what: 'a gated model',
      name: 'o/gated',
      code: 'noAccess',
      says: /^o\/gated is gated: accept its licence on http\S+\/o\/gated, make a token .* on http\S+\/settings\/tokens, and set HF_TOKEN/,
    },
    {
      what: 'a gated model for others',
      name: 'o/gated',
      given: { token: 'hf_other' },
      code: 'noAccess',
      says: /the account of the token in HF_TOKEN has no access yet: ask for it on http\S+\/o\/gated,/,
    },
    {
      what: 'a token that is void',
      name: 'o/single',
      given: { token: 'hf_expired' },
      code: 'noAccess',
      says: /does not accept the token in HF_TOKEN; make a new one/,
    },
    {
      what: 'a token with fewer rights',
      fault: to(/resolve/, { status: 403 }),
      given: { token },
      code: 'noAccess',
      says: /does not let the token in HF_TOKEN read o\/single;/,
    },
    {
      what: 'a disabled model',
      fault: to(/api/, { status: 403, headers: { 'x-error-message': 'Access to this resource is disabled.' } }),
      code: 'noAccess',
      says: /^The hub has disabled o\/single;/,
    },
    {
      what: 'a file that went',
      fault: to(/resolve/, { status: 404, headers: { 'x-error-code': 'EntryNotFound' } }),
      code: 'notFound',
      says: /^o\/single has no \S+ at main any more;/,
    },
    {
      what: 'a file that comes by Xet alone',
      fault: to(weights, { status: 400 }),
      code: 'overLimit',
      says: /^The hub does not give model\.safetensors of o\/single over plain HTTPS \(400\), .* with `hf download o\/single`,/,
    },
    {
      what: 'too many requests for long',
      fault: to(/api/, { status: 429, headers: { ratelimit: '"api";r=0;t=290' } }),
      code: 'network',
      says: /takes no more requests for now \(429\): wait 290 s or set HF_TOKEN,/,
    },
    {
      what: 'too many requests each time',
      fault: to(/api/, { status: 429 }),
      code: 'network',
      says: /\(429\): wait some minutes or set HF_TOKEN/,
    },
    {
      what: 'a hub out of order',
      fault: to(/api/, { status: 503 }),
      code: 'network',
      says: /^http\S+ is out of order \(503\); run it again later/,
    },
    {
      what: 'a store out of order',
      fault: to(weights, { status: 500 }),
      code: 'network',
      says: /is out of order \(500\)/,
    },
    {
      what: 'a status that nobody expects',
      fault: to(/api/, { status: 418 }),
      code: 'network',
      says: /refuses o\/single with status 418;/,
    },
    {
      what: 'a connection that breaks off each time',
      fault: to(weights, { cutAfter: 0 }),
      code: 'network',
      says: /breaks off/,
    },
    {
      what: 'nobody at the endpoint',
      given: { environment: { HF_ENDPOINT: 'http://127.0.0.1:61' } },
      code: 'network',
      says: /^http:\/\/127\.0\.0\.1:61 cannot be reached, or breaks off \(ECONNREFUSED\)/,
    },
    {
      what: 'another checksum',
      fault: to(weights, { changed: 77_777 }),
      code: 'badData',
      says: /^model\.safetensors came with another checksum than the hub says \(200000 bytes, [0-9a-f]{12}\.\.\.\)/,
    },
    {
      what: 'redirects in a circle',
      fault: to(/api/, { redirect: '/api/models/o/single' }),
      code: 'network',
      says: /sends from address to address without an end/,
    },
    {
      what: 'a redirect to a password',
      fault: to(/api/, { redirect: 'http://a:b@127.0.0.1/' }),
      code: 'network',
      says: /sends to an address that is not used/,
    },
    {
      what: 'a page in place of an answer',
      fault: to(/api/, { redirect: `/o/single/resolve/main/README.md` }),
      code: 'network',
      says: /does not answer as a hub does; see whether HF_ENDPOINT/,
    },
    {
      what: 'pickles alone',
      name: 'o/pickled',
      code: 'unsupportedModel',
      says: /has no model\.safetensors but pickled weights, which can run code and are never fetched, such as pytorch_model\.bin;/,
    },
    {
      what: 'an index that names what is not there',
      name: 'o/hole',
      code: 'unsupportedModel',
      says: /^o\/hole has no model-00001-of-00002\.safetensors, though its model\.safetensors\.index\.json names it;/,
    },
    {
      what: 'a disk without room',
      name: 'o/huge',
      code: 'cannotFit',
      says: /^o\/huge needs 9000000\.\d+ GB in \S+, but its disk has [\d.]+ GB free; free some space, or set HF_HUB_CACHE/,
    },
    {
      what: 'offline without a copy',
      given: { environment: { HF_HUB_OFFLINE: '1' } },
      code: 'notFound',
      says: /^HF_HUB_OFFLINE is set, and o\/single@main is not whole in /,
    },
  ];
  it.each(rows)('says $what', async ({ name = 'o/single', fault, given, code, says }) => {
    if (fault) hub.fault = fault;
    const error = await refusedWith(name, given);
    expect(error).toMatchObject({ code, message: expect.stringMatching(says) });
    expect(error.message.split(/[.!?] [A-Z]/)).toHaveLength(1);
    expect(JSON.stringify([error, error.message])).not.toMatch(/hf_/);
  });

  it('says a full disk, and goes on from what it took', async () => {
    const cache = newCache();
    const layer = installFaults(root, { kind: 'write', n: 9, how: 'ENOSPC', lasting: true });
    const error = await refusedWith('o/single', { cache }).finally(layer.remove);
    expect(error.message).toMatch(
      /^Cannot write \S+\/blobs\/[0-9a-f]{40,64}: the disk is full; free some space or choose another folder\.$/,
    );
    const { folder } = await pull('o/single', { cache });
    expect(sha256(readFileSync(join(folder, 'model.safetensors')))).toBe(sha256(contentOf('model.safetensors')));
  });
});

describe('what was fetched is kept', () => {
  it('after a connection that breaks off', async () => {
    hub.fault = once(to(weights, { cutAfter: 70_001 }));
    const { folder, said, fetchedBytes } = await pull('o/single');
    expect(sha256(readFileSync(join(folder, 'model.safetensors')))).toBe(sha256(contentOf('model.safetensors')));
    const ranges = hub.asked.filter(({ path }) => weights.test(path)).map(({ range }) => range);
    expect(ranges[0]).toBe(null);
    const from = Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? '')?.[1]);
    expect(from).toBeGreaterThan(0);
    expect(from).toBeLessThanOrEqual(70_001);
    expect(fetchedBytes).toBe(said.plans[0]!.fetchBytes);
    expect(said.pauses).toEqual([1000]);
  });

  it('but begins anew where a server gives the whole file again', async () => {
    let n = 0;
    hub.fault = ({ path }) => (weights.test(path) ? (n++ === 0 ? { cutAfter: 70_000 } : { whole: true }) : null);
    const { folder, fetchedBytes, said } = await pull('o/single');
    expect(sha256(readFileSync(join(folder, 'model.safetensors')))).toBe(sha256(contentOf('model.safetensors')));
    expect(fetchedBytes).toBeGreaterThan(said.plans[0]!.fetchBytes);
    expect(said.fractions.at(-1)).toBe(1);
  });

  it('and ends where such a server breaks off each time', async () => {
    hub.fault = to(weights, { cutAfter: 50_000, whole: true });
    expect(await refusedWith('o/single')).toMatchObject({
      code: 'network',
      message: expect.stringMatching('breaks off'),
    });
  });

  it('by a pull that was cancelled, and no model is seen before it is whole', async () => {
    const cache = newCache();
    const stopped = new AbortController();
    hub.fault = to(weights, { waitAfter: 100_000, until: new Promise(() => {}) });
    hub.onSent = ({ path, sentBytes }) => {
      if (weights.test(path) && sentBytes >= 100_000) stopped.abort();
    };
    expect(await refusedWith('o/single', { cache, signal: stopped.signal })).toMatchObject({ code: 'cancelled' });
    hub.onSent = () => {};
    hub.fault = () => null;
    const before = partialIn(cache, 'o/single', 'model.safetensors');
    expect(readdirSync(dirname(blobsOf(cache, 'o/single')))).toEqual(['blobs']);
    hub.asked.length = 0;
    const { fetchedBytes } = await pull('o/single', { cache });
    expect(filesAsked().find(({ path }) => weights.test(path))?.range ?? 'none').toBe(
      before > 0 ? `bytes=${before}-` : 'none',
    );
    expect(fetchedBytes).toBeLessThanOrEqual(200_000 - before + 6000);
  });

  it.each([
    {
      what: 'has a wrong byte',
      damage: (bytes: Buffer) => Buffer.from(bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte))),
    },
    { what: 'is longer than the file', damage: (bytes: Buffer) => Buffer.concat([bytes, bytes]) },
  ])('unless it $what', async ({ damage }) => {
    const cache = newCache();
    mkdirSync(blobsOf(cache, 'o/single'), { recursive: true });
    const content = contentOf('model.safetensors');
    writeFileSync(partialPath(cache, 'o/single', content), damage(content.subarray(0, 120_000)));
    const { folder } = await pull('o/single', { cache });
    expect(sha256(readFileSync(join(folder, 'model.safetensors')))).toBe(sha256(content));
  });

  it('and a file with a wrong checksum is not', async () => {
    const cache = newCache();
    hub.fault = to(weights, { changed: 3 });
    await refusedWith('o/single', { cache });
    expect(
      filesIn(blobsOf(cache, 'o/single')).filter((name) => name.startsWith(sha256(contentOf('model.safetensors')))),
    ).toEqual([]);
  });
});

const partialPath = (cache: string, name: string, content: Buffer) =>
  join(blobsOf(cache, name), `${sha256(content)}.espalier.incomplete`);

const partialIn = (cache: string, name: string, file: string): number =>
  statSync(partialPath(cache, name, contentOf(file)), { throwIfNoEntry: false })?.size ?? 0;

describe('the hub is asked to be patient with us', () => {
  it.each<{ what: string; headers: Record<string, string>; waits: number }>([
    {
      what: 'RateLimit',
      headers: { ratelimit: '"api";r=0;t=55', 'ratelimit-policy': '"fixed window";"api";q=500;w=300' },
      waits: 55_000,
    },
    { what: 'Retry-After', headers: { 'retry-after': '7' }, waits: 7000 },
  ])('by $what', async ({ headers, waits }) => {
    hub.fault = once(to(/tree/, { status: 429, headers }));
    const { said } = await pull('o/single');
    expect(said.pauses).toEqual([waits]);
    expect(said.warnings).toEqual([
      expect.stringMatching(`takes no more requests .* Trying again in ${waits / 1000} s\\.$`),
    ]);
  });

  it('and pauses double while it is out of order', async () => {
    let n = 0;
    hub.fault = ({ path }) => (path.includes('tree') && n++ < 4 ? { status: 502 } : null);
    const { said } = await pull('o/single');
    expect(said.pauses).toEqual([1000, 2000, 4000, 8000]);
  });
});

describe('offline', () => {
  const offline = { HF_HUB_OFFLINE: '1' };
  it('a whole model is found', async () => {
    const { cache, folder, files } = await pull('o/sharded');
    hub.asked.length = 0;
    const found = await pull('o/sharded', { cache, environment: offline });
    expect(hub.asked).toEqual([]);
    expect(found).toMatchObject({ folder, fetchedBytes: 0 });
    expect(found.files.map(({ path }) => path).sort()).toEqual(files.map(({ path }) => path).sort());
  });

  it('one without a shard is not', async () => {
    const { cache, folder } = await pull('o/sharded');
    rmSync(join(folder, 'model-00002-of-00002.safetensors'));
    expect(await refusedWith('o/sharded', { cache, environment: offline })).toMatchObject({ code: 'notFound' });
  });
});
