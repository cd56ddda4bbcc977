// Which running server a client may use: decided by the protocol and by what goes over the wire, not by the rest of a build.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ResponseError } from 'vscode-jsonrpc/node';
import {
  type Incompatibility,
  incompatibilityOf,
  incompatibilitySentence,
  type Peer,
} from '../../server/protocol/compatibility';
import { repoRoot } from '../fixtures';
import {
  bundle,
  connect,
  connectRaw,
  newFolder,
  reaches,
  type StartedServer,
  startServer,
  stopServer,
  stories,
} from './client';

const root = newFolder();
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a client and a server', () => {
  const us: Peer = { protocol: 'espalier.v2', wire: 'a', build: '0.1.0+1' };
  it.each<{ what: string; client?: Partial<Peer>; server?: Partial<Peer>; reason: Incompatibility | null }>([
    { what: 'of one build', reason: null },
    { what: 'of two builds with one wire', client: { build: '0.1.0+2' }, reason: null },
    { what: 'of two releases with one wire', client: { build: '0.3.0+2' }, reason: null },
    { what: 'of one release with two wires', client: { build: '0.1.0+2', wire: 'b' }, reason: 'otherWire' },
    { what: 'of one build with two wires', client: { wire: 'b' }, reason: 'otherWire' },
    {
      what: 'of which the client is newer',
      client: { build: '0.10.0+2', wire: 'b' },
      server: { build: '0.9.0' },
      reason: 'serverTooOld',
    },
    { what: 'of which the server is newer', server: { build: '1.0.0+2', wire: 'b' }, reason: 'clientTooOld' },
    { what: 'of which the client knows no wire', client: { wire: undefined }, reason: 'clientTooOld' },
    { what: 'of which the server knows no wire', server: { wire: undefined }, reason: 'serverTooOld' },
    { what: 'which both know no wire', client: { wire: undefined }, server: { wire: undefined }, reason: 'otherWire' },
    { what: 'of which the client has a later protocol', client: { protocol: 'espalier.v3' }, reason: 'serverTooOld' },
    { what: 'of which the server has a later protocol', server: { protocol: 'espalier.v12' }, reason: 'clientTooOld' },
    { what: 'of which the client has none of our protocols', client: { protocol: 'http' }, reason: 'clientTooOld' },
    {
      what: 'whose builds say no release',
      client: { build: 'b', wire: 'b' },
      server: { build: 'c' },
      reason: 'otherWire',
    },
  ])('$what: $reason', ({ client, server, reason }) => {
    expect(incompatibilityOf({ ...us, ...client }, { ...us, ...server })).toBe(reason);
  });

  it.each<{ reason: Incompatibility; does: string }>([
    { reason: 'clientTooOld', does: 'reload the window or update the extension' },
    { reason: 'serverTooOld', does: 'restart the server' },
    { reason: 'otherWire', does: 'restart the server' },
    { reason: 'serverRemoved', does: 'restart the server' },
  ])('are told what to do: $reason', ({ reason, does }) => {
    const sentence = incompatibilitySentence(reason, us, { ...us, build: '0.2.0+9' });
    expect(sentence).toContain(`; ${does}.`);
    expect(sentence).toContain('build 0.2.0+9');
  });
});

describe('a running server', () => {
  let server: StartedServer;
  beforeAll(async () => {
    server = await startServer(join(root, 'data'));
  });
  afterAll(() => stopServer(server));

  /** What a client that introduces itself so is answered with. */
  async function initialized(peer: object, lock = server.lock) {
    const { socket, connection } = await connectRaw(lock);
    try {
      return await connection.sendRequest('initialize', { initializationOptions: { ...peer, roots: [] } });
    } catch (error) {
      if (!(error instanceof ResponseError)) throw error;
      return { code: error.code, message: error.message, data: error.data };
    } finally {
      socket.close();
    }
  }

  it('is used by a client of another build with the same wire, which runs something on it', async () => {
    const client = await connect({ ...server.lock, build: '0.2.0+another' });
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: { kind: 'inspect', model: stories } });
    expect(await reaches(client, runId, ['done', 'failed'])).toMatchObject({ state: 'done' });
    await client.close();
  });

  it('refuses a client with another wire, and says why', async () => {
    const { protocol, build } = server.lock;
    expect(await initialized({ protocol, wire: 'another', build })).toEqual({
      code: -32803,
      message: expect.stringContaining('their messages differ; restart the server.'),
      data: { code: 'otherBuild', reason: 'otherWire', build, retry: false },
    });
  });

  it('refuses a client from before wires had a hash, in words that it understands', async () => {
    const { protocol, build } = server.lock;
    expect(await initialized({ protocol, build })).toMatchObject({
      message: expect.stringContaining(`The running server, build ${build}, is newer than this client, build ${build}`),
      data: { code: 'otherBuild', reason: 'clientTooOld' },
    });
  });

  it('is refused by name where it is older than the client', async () => {
    const { protocol, build } = server.lock;
    expect(await initialized({ protocol, wire: 'another', build: '99.0.0+1' })).toMatchObject({
      message: `The running server, build ${build}, is older than this client, build 99.0.0+1; restart the server.`,
      data: { code: 'otherBuild', reason: 'serverTooOld' },
    });
  });

  it('built with another wire refuses the clients of this one, and serves its own', async () => {
    const program = join(root, 'other/server.cjs');
    buildSync({
      entryPoints: [join(repoRoot, 'server/main.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      define: { __ESPALIER_BUILD__: '"0.1.0+other"', __ESPALIER_WIRE__: '"other"', __ESPALIER_VERSION__: '"0.1.0"' },
    });
    writeFileSync(join(root, 'other/engine.cjs'), '');
    const other = await startServer(join(root, 'otherData'), 60, program);
    expect(other.lock).toMatchObject({ wire: 'other', build: '0.1.0+other' });
    const { protocol, wire, build } = server.lock;
    expect(await initialized({ protocol, wire, build }, other.lock)).toMatchObject({ data: { reason: 'otherWire' } });
    expect(await initialized({ protocol, wire: 'other', build }, other.lock)).toMatchObject({
      espalier: { build: '0.1.0+other', wire: 'other' },
    });
    await stopServer(other);
  });

  it('whose program was removed by an update says so', async () => {
    mkdirSync(join(root, 'removed'));
    copyFileSync(bundle, join(root, 'removed/server.cjs'));
    const removed = await startServer(join(root, 'removedData'), 60, join(root, 'removed/server.cjs'));
    const { protocol, wire, build } = removed.lock;
    expect(await initialized({ protocol, wire, build }, removed.lock)).toMatchObject({
      message: expect.stringContaining('was removed, most likely by an update; restart the server.'),
      data: { code: 'otherBuild', reason: 'serverRemoved' },
    });
    await stopServer(removed);
  });
});

describe('the hash of what goes over the wire', () => {
  const copy = join(root, 'source');
  let original: string;
  beforeAll(() => {
    cpSync(join(repoRoot, 'server'), join(copy, 'server'), { recursive: true });
    symlinkSync(join(repoRoot, 'node_modules'), join(copy, 'node_modules'));
    original = hash();
  });
  const hash = () =>
    execFileSync(process.execPath, [join(repoRoot, 'scripts/wireHash.mjs'), copy], { encoding: 'utf8' }).trim();
  const serverTypes = 'server/protocol/server.ts';
  const addField = (before: string) => (text: string) => text.replace(`  ${before}:`, `  more: 1;\n  ${before}:`);
  /** Where recipes have 512 tokens by default. */
  const withTokens = readdirSync(join(repoRoot, 'server'), { recursive: true, encoding: 'utf8' })
    .map((name) => join('server', name))
    .find((file) => file.endsWith('.ts') && readFileSync(join(repoRoot, file), 'utf8').includes('default(512)'))!;

  it('is that of the built server', async () => {
    const { lock, ...server } = await startServer(join(root, 'built'));
    expect(lock.wire).toBe(original);
    await stopServer({ lock, ...server });
  });

  it.each<{ what: string; file: string; change: (text: string) => string; same: boolean }>([
    { what: 'a comment', file: serverTypes, change: (text) => `// More.\n${text}/* And more. */\n`, same: true },
    { what: 'layout', file: serverTypes, change: (text) => text.replaceAll('{ ', '{\n'), same: true },
    {
      what: 'pages',
      file: 'server/protocol/pages/page.ts',
      change: (text) => `${text}export type More = 1;`,
      same: true,
    },
    { what: 'how runs are kept', file: 'server/runs/store.ts', change: (text) => `${text}const more = 1;`, same: true },
    {
      what: 'a task',
      file: 'server/evaluation/tasks/table.ts',
      change: (text) =>
        text.replace(
          'export const groups: readonly TaskGroup[] = mmluGroups',
          'export const groups: readonly TaskGroup[] = mmluGroups.slice(1)',
        ),
      same: false,
    },
    { what: 'a request', file: serverTypes, change: (text) => text.replace('runs/list', 'runs/all'), same: false },
    {
      what: 'what reports share',
      file: 'server/protocol/reports.ts',
      change: (text) => `${text}type M = 1;`,
      same: false,
    },
    { what: 'a report', file: 'server/recipes/merge/recipe.ts', change: addField('nMerged'), same: false },
    {
      what: 'a part of a report',
      file: 'server/recipes/evaluate/recipe.ts',
      change: addField('mcnemarP'),
      same: false,
    },
    {
      what: 'the help of an option',
      file: 'server/recipes/merge/recipe.ts',
      change: (text) => text.replace("help: '", "help: 'more: "),
      same: true,
    },
    {
      what: 'a default of a recipe',
      file: withTokens,
      change: (text) => text.replace('default(512)', 'default(513)'),
      same: false,
    },
  ])('after a change of $what is the same: $same', ({ file, change, same }) => {
    const path = join(copy, file);
    const text = readFileSync(path, 'utf8');
    expect(change(text)).not.toBe(text);
    writeFileSync(path, change(text));
    expect(hash() === original).toBe(same);
    writeFileSync(path, text);
  });
});
