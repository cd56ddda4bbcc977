// Publishing in processes of its own: killed at moments drawn by a seed, and watched for the token.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { start } from '../cli/espalier';
import { long, modelFolder } from '../fixtures';
import { sha256 } from './fake/answer';
import { type FakeHub, openFakeHub } from './fakeHub';
import { commandLines, contentsOf } from './watched';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'killed-publish-')));
const folder = join(root, 'model');
const token = 'hf_secretOfATest';
const original = modelFolder('stories260k');
let hub: FakeHub;
beforeAll(async () => {
  const pruned = await start(['prune', original, '--drop', '2', '--out', folder, '--quiet'], root).ended;
  expect(pruned.code).toBe(0);
  writeFileSync(join(folder, 'training_args.bin.txt'), 'no part of a model');
  hub = await openFakeHub({}, { accounts: { [token]: { name: 'o', role: 'write' } } });
  Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_TOKEN: token });
});
afterAll(async () => {
  for (const name of ['HF_ENDPOINT', 'HF_TOKEN']) delete process.env[name];
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});

const publish = (...more: string[]) =>
  start(['publish', folder, '--original', original, '--repo', 'o/model', ...more], root);
const stored = () => hub.state.repositories.get('o/model');
const head = () => {
  const { branches, commits } = stored() ?? { branches: new Map<string, string>(), commits: new Map() };
  return [...((commits.get(branches.get('main') ?? '') ?? new Map()) as ReadonlyMap<string, Buffer>)];
};
/** Sent in this order, as the hub asks. */
const largeBytes = 800_000;
const puts = () => hub.asked.filter(({ method }) => method === 'PUT');

describe('a publishing', () => {
  const random = mulberry32(19);
  it.each(Array.from({ length: long ? 20 : 2 }, () => ({ after: Math.floor(random() * largeBytes) })))(
    'that is killed after $after bytes sends one part again at most, and changes no branch before its end',
    async ({ after }) => {
      hub.state.repositories.clear();
      for (const kept of [hub.state.objects, hub.state.verified, hub.state.parts]) kept.clear();
      hub.asked.length = 0;
      let received = 0;
      const running = publish('--quiet');
      hub.onReceived = ({ server }) => {
        if (server !== 'store') return;
        received = puts().reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
        if (received >= after) process.kill(-running.pid, 'SIGKILL');
      };
      await running.ended;
      hub.onReceived = () => {};
      expect(head().map(([path]) => path)).toEqual(['.gitattributes']);
      const before = puts().map(({ path }) => path);
      hub.asked.length = 0;
      const { code, stderr } = await publish('--quiet').ended;
      expect({ code, stderr: stderr.replace(/^Warning: .*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
      const again = puts().filter(({ path }) => before.includes(path));
      expect(again.length).toBeLessThanOrEqual(1);
      const files = Object.fromEntries(head().filter(([path]) => path !== '.gitattributes'));
      const mine = readdirSync(folder).filter((name) => name !== 'training_args.bin.txt');
      expect(Object.keys(files).sort()).toEqual([...mine, 'README.md'].sort());
      for (const name of mine) expect(sha256(files[name]!), name).toBe(sha256(readFileSync(join(folder, name))));
      expect(files['README.md']!.toString()).toMatch(/^---\n/);
    },
    60_000,
  );

  it('says the token to nobody: no file, no output, no process shows it', { timeout: 60_000 }, async () => {
    hub.state.repositories.clear();
    hub.state.verified.clear();
    const watched = join(root, 'watched');
    const shown: string[] = [];
    mkdirSync(watched);
    const running = publish('--json', join(watched, 'report.json'));
    hub.onReceived = ({ server }) => server === 'store' && shown.length === 0 && shown.push(...commandLines());
    const { code, stdout, stderr } = await running.ended;
    hub.onReceived = () => {};
    expect({ code, shown: shown.length > 0 }).toEqual({ code: 0, shown: true });
    expect(stderr).toMatch(
      /^http\S+, as o: \d+ kB\no\/model@main \(new, private\): \d+ files, \d+ kB\n {2}stays here: training_args/m,
    );
    expect(stdout).toMatch(/^published +http\S+\/o\/model, private$/m);
    const all = [
      stdout,
      stderr,
      ...shown,
      ...[...contentsOf(root).values()].map((content) => content.toString('latin1')),
    ];
    expect(all.filter((text) => text.includes(token))).toEqual([]);
    expect(hub.asked.some((asked) => asked.token === token)).toBe(true);
    const report = JSON.parse(readFileSync(join(watched, 'report.json'), 'utf8'));
    expect(report).toMatchObject({ kind: 'publish', published: [{ repository: 'o/model', wasThere: false }] });
  });

  it('that is a dry run sends nothing, and needs no token', { timeout: 60_000 }, async () => {
    hub.asked.length = 0;
    const { HF_TOKEN: mine } = process.env;
    Object.assign(process.env, { HF_TOKEN: '', HF_HOME: root });
    const { code, stdout, stderr } = await publish('--dry-run').ended;
    Object.assign(process.env, { HF_TOKEN: mine });
    delete process.env.HF_HOME;
    expect({ code, asked: hub.asked.length }).toEqual({ code: 0, asked: 0 });
    expect(stderr).toMatch(/asked nothing since there is no token: \d+ kB/);
    expect(stdout).toMatch(/^not published +http\S+\/o\/model, private$/m);
  });
});
