// Pulling in processes of its own: killed at moments drawn by a seed, and watched for the token.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { type Started, start } from '../cli/espalier';
import { long } from '../fixtures';
import { sha256 } from './fake/answer';
import { type FakeHub, openFakeHub } from './fakeHub';
import { sharded } from './models';
import { commandLines, contentsOf, sizesOf } from './watched';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'killed-pull-')));
const token = 'hf_secretOfATest';
let hub: FakeHub;
beforeAll(async () => {
  hub = await openFakeHub({ 'o/sharded': { ...sharded, gatedTo: [token] } });
  Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_TOKEN: token });
});
afterAll(async () => {
  for (const name of ['HF_ENDPOINT', 'HF_TOKEN', 'HF_HUB_CACHE']) delete process.env[name];
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});

function startPull(cache: string, ...more: string[]): Started {
  process.env.HF_HUB_CACHE = cache;
  return start(['pull', 'o/sharded', ...more], root);
}

const fileBytes =
  (sharded.files['model-00001-of-00002.safetensors'] as Buffer).length +
  (sharded.files['model-00002-of-00002.safetensors'] as Buffer).length;

describe('a pull', () => {
  const random = mulberry32(19);
  it.each(Array.from({ length: long ? 20 : 3 }, (_, i) => ({ i, after: Math.floor(random() * fileBytes) })))(
    'that is killed after $after bytes goes on with what it has',
    async ({ i, after }) => {
      const cache = join(root, `cache-${i}`);
      let sent = 0;
      const running = startPull(cache, '--quiet');
      hub.onSent = ({ server }) => {
        if (server !== 'store') return;
        sent += 16 * 1024;
        if (sent >= after) process.kill(-running.pid, 'SIGKILL');
      };
      await running.ended;
      hub.onSent = () => {};
      const blobs = join(cache, 'models--o--sharded/blobs');
      const before = sizesOf(blobs);
      expect(readdirSync(join(cache, 'models--o--sharded'))).toEqual(['blobs']);
      hub.asked.length = 0;
      const { code, stderr } = await startPull(cache, '--quiet').ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      // What is there is not asked for again, to the byte.
      for (const { path, range, server } of hub.asked) {
        if (server !== 'store') continue;
        const name = /[^/]+(?=\?)/.exec(path)![0];
        const hash = sha256(sharded.files[name] as Buffer);
        expect(before.has(hash), name).toBe(false);
        const part = before.get(`${hash}.espalier.incomplete`) ?? 0;
        expect(range, name).toBe(part > 0 ? `bytes=${part}-` : null);
      }
      const snapshot = contentsOf(join(cache, 'models--o--sharded/snapshots', 'a'.repeat(40)));
      expect(snapshot.size).toBe(10);
      for (const [name, content] of snapshot)
        expect(sha256(content), name).toBe(sha256(Buffer.from(sharded.files[name]!)));
      expect([...sizesOf(blobs).keys()].filter((name) => name.includes('incomplete'))).toEqual([]);
      expect(readdirSync(join(cache, '.locks')).filter((name) => name.includes('espalier'))).toEqual([]);
    },
    60_000,
  );

  it('says the token to nobody: no file, no output, no process shows it', { timeout: 60_000 }, async () => {
    const folder = join(root, 'watched');
    const shown: string[] = [];
    mkdirSync(folder);
    const running = startPull(join(folder, 'cache'), '--json', join(folder, 'report.json'));
    hub.onSent = ({ sentBytes, server }) => {
      if (server === 'store' && sentBytes === 16 * 1024) shown.push(...commandLines());
    };
    const { code, stdout, stderr } = await running.ended;
    hub.onSent = () => {};
    expect({ code, shown: shown.length > 0 }).toEqual({ code: 0, shown: true });
    expect(stderr).toMatch(
      /^o\/sharded@main \(aaaaaaaa\): 10 files, \d+ kB; \d+ kB to fetch into \S+, whose disk has [\d.]+ \wB free$/m,
    );
    expect(stdout).toMatch(/^pulled +o\/sharded, commit a{40}$/m);
    const all = [
      stdout,
      stderr,
      ...shown,
      ...[...contentsOf(folder).values()].map((content) => content.toString('latin1')),
    ];
    expect(all.filter((text) => text.includes(token))).toEqual([]);
    expect(hub.asked.some((asked) => asked.token === token)).toBe(true);
    expect(JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'))).toMatchObject({
      kind: 'pull',
      repository: 'o/sharded',
    });
  });
});
