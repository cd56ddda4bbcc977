// Ctrl-C, a kill and a full disk in the middle of the work: it ends quickly, in one sentence, with nothing half-written and
// no process left behind. Linux only, since processes are watched under /proc.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { long, modelFolder, repoRoot } from '../fixtures';
import { childrenOf, contentsOf, espalier, isRunning, type Started, start, until } from './espalier';

const stories = modelFolder('stories260k');
const storiesIds = join(repoRoot, 'test/fixtures/reference/stories260k.json');
const root = mkdtempSync(join(tmpdir(), 'interrupted-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Random weights in the shape of SmolLM2-135M: 269 MB, enough to be met in the middle of anything. */
const large = join(root, 'large');
const largeConfig = {
  model_type: 'llama',
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  vocab_size: 49152,
  max_position_embeddings: 8192,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
};
const manyIds = join(root, 'ids.json');

let nFolders = 0;
/** A new folder of its own, with the place for an output in it. */
function place(): { folder: string; out: string } {
  const folder = join(root, String(nFolders++));
  mkdirSync(folder);
  return { folder, out: join(folder, 'out') };
}

/** Waits until the engine is there and gives its process id. */
async function engineOf({ pid }: Started): Promise<number> {
  await until('the engine is started', () => childrenOf(pid).length > 0);
  return childrenOf(pid)[0]!;
}

/** Bytes of weights that lie in a folder which is still being written. */
function bytesWritten(folder: string): number {
  const stage = readdirSync(folder).find((name) => name.startsWith('.out.partial-'));
  if (stage === undefined) return 0;
  const weights = join(folder, stage, 'model.safetensors');
  return existsSync(weights) ? statSync(weights).size : 0;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe.skipIf(process.platform !== 'linux')('in the middle', () => {
  beforeAll(() => {
    const config = join(root, 'config.json');
    writeFileSync(config, JSON.stringify(largeConfig));
    execFileSync(process.execPath, [join(repoRoot, 'dist/makeShape.cjs'), '--config', config, '--out', large]);
    const row = (r: number) => Array.from({ length: 512 }, (_, i) => (i * 7919 + r * 104729) % 49152);
    writeFileSync(manyIds, JSON.stringify(Array.from({ length: 32 }, (_, r) => row(r))));
  });

  const measuring = ['--ids', manyIds, '--json', 'report.json'];
  interface Row {
    what: string;
    args: (out: string) => string[];
    /** Waits until the work is in full swing. */
    middle: (started: Started, folder: string) => Promise<void>;
  }
  const computing = async (started: Started) => {
    await until('the plan is told', () => started.stderr().includes('tokens on cpu'));
    await pause(700);
  };
  const rows: Row[] = [
    { what: 'analyze', args: () => ['analyze', large, ...measuring], middle: computing },
    {
      what: 'analyze, weights streamed',
      args: () => ['analyze', large, ...measuring, '--memory', 'streaming'],
      middle: computing,
    },
    { what: 'analyze, while it begins', args: () => ['analyze', large, ...measuring], middle: () => pause(200) },
    { what: 'perplexity', args: () => ['perplexity', large, ...measuring], middle: computing },
    {
      what: 'prune while it measures',
      args: (out) => ['prune', large, '--method', 'blockInfluence', '--count', '2', ...measuring, '--out', out],
      middle: computing,
    },
    {
      what: 'prune while it writes',
      args: (out) => ['prune', large, '--drop', '3', '--dtype', 'f32', '--out', out, '--json', 'report.json'],
      middle: (_, folder) => until('something is written', () => bytesWritten(folder) > 2e7),
    },
  ];
  const ways = [
    { way: 'Ctrl-C, to all processes of the group', exits: 130, send: (pid: number) => process.kill(-pid, 'SIGINT') },
    { way: 'SIGINT to the command line alone', exits: 130, send: (pid: number) => process.kill(pid, 'SIGINT') },
    { way: 'SIGTERM', exits: 143, send: (pid: number) => process.kill(pid, 'SIGTERM') },
    { way: 'SIGTERM to all', exits: 143, send: (pid: number) => process.kill(-pid, 'SIGTERM') },
    { way: 'a terminal that closes, to all', exits: 129, send: (pid: number) => process.kill(-pid, 'SIGHUP') },
    { way: 'Ctrl-\\, to all', exits: 131, send: (pid: number) => process.kill(-pid, 'SIGQUIT') },
  ];
  // What an interrupt does to processes depends on how it comes, and what it leaves on what they do: all of both is long.
  const inEveryWay = ['analyze', 'prune while it writes'];
  const both = rows.flatMap((row) =>
    ways
      .slice(0, long || row.what === 'prune while it writes' ? undefined : inEveryWay.includes(row.what) ? 3 : 1)
      .map((way) => ({ ...row, ...way })),
  );

  it.each(both)('$what, $way', { retry: 2 }, async ({ args, middle, send, exits }) => {
    const { folder, out } = place();
    const started = start(args(out), folder);
    const engine = await engineOf(started);
    await middle(started, folder);
    expect(isRunning(engine)).toBe(true);
    const began = performance.now();
    send(started.pid);
    const { code, stdout, stderr } = await started.ended;
    expect(performance.now() - began).toBeLessThan(1000);
    expect({ code, stdout }, stderr).toEqual({ code: exits, stdout: '' });
    expect(stderr).toMatch(/^(auto is [^\n]*\n)?(large: [^\n]*\n)?espalier: Cancelled; nothing was written\.\n$/);
    expect(isRunning(engine)).toBe(false);
    expect(contentsOf(folder)).toEqual([]);
  });

  it('a second Ctrl-C changes nothing', async () => {
    const { folder, out } = place();
    const started = start(['prune', large, '--drop', '3', '--dtype', 'f32', '--out', out], folder);
    await until('something is written', () => bytesWritten(folder) > 2e7);
    for (let i = 0; i < 5; i++) process.kill(-started.pid, 'SIGINT');
    const { code, stderr } = await started.ended;
    expect({ code, stderr }).toEqual({ code: 130, stderr: 'espalier: Cancelled; nothing was written.\n' });
    expect(contentsOf(folder)).toEqual([]);
  });

  it('generate keeps what it has said', async () => {
    const started = start(['generate', stories, '--max-tokens', '500', '--no-cache']);
    const engine = await engineOf(started);
    await until('it is under way', () => started.stderr().includes('tokens on cpu'));
    await pause(200);
    process.kill(-started.pid, 'SIGINT');
    const { code, stderr } = await started.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/\nespalier: Cancelled; nothing was written\.\n$/);
    expect(isRunning(engine)).toBe(false);
  });

  it('the command line killed while its engine computes: the engine ends by itself', async () => {
    const { folder } = place();
    const started = start(['analyze', large, ...measuring], folder);
    const engine = await engineOf(started);
    await computing(started);
    started.process.kill('SIGKILL');
    await until('the engine has ended', () => !isRunning(engine), 5000);
    expect(contentsOf(folder)).toEqual([]);
  });

  it('the command line killed while its engine writes: no folder, and the next run cleans up', async () => {
    const { folder, out } = place();
    const args = ['prune', large, '--drop', '3', '--dtype', 'f32', '--out', out];
    const started = start(args, folder);
    const engine = await engineOf(started);
    await until('something is written', () => bytesWritten(folder) > 2e7);
    started.process.kill('SIGKILL');
    await until('the engine has ended', () => !isRunning(engine), 5000);
    const stage = expect.stringMatching(new RegExp(`^\\.out\\.partial-${engine}-[0-9a-f]{24}$`));
    expect(readdirSync(folder).sort()).toEqual(['.out.espalier-lock', stage]);
    const { code, stderr } = await espalier(['prune', large, '--drop', '0-27', '--out', out, '--quiet'], folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it('the engine killed, as when memory runs out: one sentence, with nothing left', async () => {
    const { folder, out } = place();
    const started = start(['prune', large, '--drop', '3', '--dtype', 'f32', '--out', out], folder);
    const engine = await engineOf(started);
    await until('something is written', () => bytesWritten(folder) > 2e7);
    process.kill(engine, 'SIGKILL');
    const { code, stderr } = await started.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/^espalier: The engine was killed from outside, [^\n]+\n$/);
    expect(contentsOf(folder)).toEqual([]);
  });

  describe('a full disk', () => {
    /** A small disk of its own for `work`. */
    async function withDisk(megabytes: number, skip: (why: string) => void, work: (disk: string) => Promise<void>) {
      const { folder: disk } = place();
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', disk], { stdio: 'ignore' });
      } catch {
        if (process.env.CI === 'true') throw new Error('under CI every test has to run, and this one needs root');
        skip('mounting needs root');
      }
      try {
        await work(disk);
      } finally {
        execFileSync('umount', [disk]);
      }
    }

    it('that is too small from the beginning', ({ skip }) =>
      withDisk(100, skip, async (disk) => {
        const { code, stdout, stderr } = await espalier(['prune', large, '--drop', '3', '--out', join(disk, 'out')]);
        expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
        expect(stderr).toMatch(
          /^espalier: Writing .* needs 2\d\d\.\d MB, but its disk has 10\d\.\d MB free; [^\n]*\n$/,
        );
        expect(contentsOf(disk)).toEqual([]);
      }));

    it('that fills up while a model is written', ({ skip }) =>
      withDisk(600, skip, async (disk) => {
        const resize = (megabytes: number) =>
          execFileSync('mount', ['-o', `remount,size=${megabytes}m`, disk], { stdio: 'ignore' });
        const written = async () => {
          const started = start(['prune', large, '--drop', '3', '--dtype', 'f32', '--out', join(disk, 'out')]);
          await until('something is written', () => bytesWritten(disk) > 0);
          // Somebody takes the rest: the disk shrinks to hardly more than is written by now.
          for (let size = 64; ; size *= 2) {
            try {
              resize(size);
              break;
            } catch {}
          }
          return started.ended;
        };
        let ended = await written();
        // Where the test had to wait for the processor, all may have been written before the disk shrank: again, then.
        for (let n = 1; n < 5 && ended.code === 0; n++) {
          rmSync(join(disk, 'out'), { recursive: true });
          resize(600);
          ended = await written();
        }
        const { code, stdout, stderr } = ended;
        expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' });
        expect(stderr).toMatch(/^espalier: Cannot write [^\n]*: the disk is full; [^\n]*\n$/);
        expect(contentsOf(disk)).toEqual([]);
      }));

    it('that has no room for a report', ({ skip }) =>
      withDisk(1, skip, async (disk) => {
        // Pages are 4 kB: a place for an empty file is left, for its contents not.
        execFileSync('sh', ['-c', `dd if=/dev/zero of="${disk}/other" bs=4096 2> /dev/null || true`]);
        const report = join(disk, 'report.json');
        const { code, stderr } = await espalier(['analyze', stories, '--ids', storiesIds, '--json', report, '--quiet']);
        expect(code).toBe(2);
        expect(stderr).toMatch(/^espalier: .*report\.json cannot be written \(ENOSPC[^\n]*\n$/);
        expect(contentsOf(disk)).toEqual(['other']);
      }));
  });
});
