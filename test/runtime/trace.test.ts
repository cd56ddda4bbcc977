// What the engine tells of itself where its environment asks for it: a line of counts, and onnxruntime's own profiles.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { noCounts } from '../../server/runtime/tensor';
import { traceLine } from '../../server/runtime/trace';
import { modelFolder, repoRoot } from '../fixtures';

const folder = mkdtempSync(join(tmpdir(), 'espalier-trace-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const perplexity = (env: Readonly<Record<string, string>>) =>
  promisify(execFile)(
    process.execPath,
    [
      ...['dist/espalier.cjs', 'perplexity', modelFolder('stories260k'), '--quiet'],
      ...['--text', join(repoRoot, 'media/demo/tinystories.txt'), '--sequences', '2', '--tokens', '32'],
    ],
    { cwd: repoRoot, env: { ...process.env, ...env } },
  );

it('a line of counts has their units', () => {
  const counts = { ...noCounts(), runs: 7, programHits: 5, programMisses: 2, compileMs: 12.4, uploadedBytes: 2.5e6 };
  const moved = { readBytes: { weight: 0, table: 1e5, result: 1e5 }, peakBytes: 3e6, liveTensors: 4 };
  expect(traceLine('cpu', { ...counts, ...moved })).toBe(
    'trace cpu: 7 runs; programs 5 hits, 2 misses, 12 ms compiling; 2.5 MB uploaded, 0.2 MB read; ' +
      'tensors 3.0 MB at the peak, 4 alive at the end',
  );
});

describe('an engine', () => {
  it('says at its end what it did, where ESPALIER_TRACE asks for it', async () => {
    const { stderr } = await perplexity({ ESPALIER_TRACE: '1' });
    expect(stderr).toMatch(/^trace cpu: \d+ runs; programs \d+ hits, \d+ misses, .* 0 alive at the end$/m);
    expect((await perplexity({})).stderr).not.toContain('trace');
  });

  it('has onnxruntime profile every graph into the folder of ESPALIER_PROFILE', async () => {
    await perplexity({ ESPALIER_PROFILE: join(folder, 'profile') });
    const files = readdirSync(join(folder, 'profile'));
    expect(files.some((name) => /-block_.*\.json$/.test(name))).toBe(true);
    const events = JSON.parse(
      readFileSync(join(folder, 'profile', files.find((name) => name.includes('-block_'))!), 'utf8'),
    );
    expect(events.some(({ cat }: { cat: string }) => cat === 'Node')).toBe(true);
  });
});
