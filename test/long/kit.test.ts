// The kit for machines with a graphics card, up to the point of the card: it is small enough to be handed over, measures every job
// in a root that holds nothing but it, the C library and lavapipe, and prints ratios to PyTorch where there is one.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, repoRoot } from '../fixtures';
import { lavapipeDriver } from '../softwareDevices';
import { mayIsolate, openBareRoot } from './bareRoot';

const minutes = 60_000;
const here = process.platform === 'linux' && process.arch === 'x64' && available(lavapipeDriver);

describe.skipIf(!here)('a kit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kit-'));
  const archive = join(folder, 'kit.tar.xz');
  const kit = join(folder, 'espalier-kit');
  beforeAll(() => {
    execFileSync(process.execPath, [join(repoRoot, 'scripts/kit.mjs'), '--out', archive]);
    execFileSync('tar', ['-C', folder, '-xf', archive]);
  }, 20 * minutes);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const measured = (work: string) => JSON.parse(readFileSync(join(work, 'kit.json'), 'utf8'));

  it('is smaller than 64 MiB', () => {
    const { size } = statSync(archive);
    console.log(`the kit has ${(size / 2 ** 20).toFixed(1)} MiB`);
    expect(size).toBeLessThan(64 * 2 ** 20);
    expect(size).toBeGreaterThan(20 * 2 ** 20);
  });

  it.skipIf(!mayIsolate())('measures every job in a bare root', { timeout: 20 * minutes }, () => {
    using root = openBareRoot();
    cpSync(kit, join(root.folder, 'kit'), { recursive: true });
    // What every Linux with a driver has: a shell, the C library, and the driver with what it is linked to.
    for (const program of ['/bin/sh', '/usr/bin/dirname', '/usr/bin/grep']) root.bring(program);
    const runtime = 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1';
    for (const program of ['node/bin/node', runtime]) root.bring(join(kit, program));
    root.bring(lavapipeDriver);
    root.bring(join(dirname(lavapipeDriver), 'liblavapipe.so'));
    const environment = { HOME: '/home', PATH: '/usr/bin:/bin', VK_ICD_FILENAMES: lavapipeDriver };
    const { status, stdout, stderr } = root.run(['/kit/kit', '--shape', 'tiny'], environment);
    console.log(stdout);
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^tiny on llvmpipe/);
    expect(stdout).toContain('PyTorch was not measured: python3 did not start');
    const { found } = measured(join(root.folder, 'kit/work'));
    expect(Object.keys(found)).toEqual(['f16', 'int4']);
    for (const { speeds } of Object.values<{ speeds: Record<string, { tokensPerSecond: number }> }>(found)) {
      expect(Object.keys(speeds)).toEqual(['analysis', 'healing', 'scoring']);
      for (const { tokensPerSecond } of Object.values(speeds)) expect(tokensPerSecond).toBeGreaterThan(0);
    }
  });

  it('prints ratios to PyTorch on the same machine', { timeout: 20 * minutes }, () => {
    const python = join(folder, 'python');
    const script = `exec ${join(repoRoot, 'test/python/run.sh')} ../../bench/kit/"$@"`;
    writeFileSync(python, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const asked = [
      '--shape',
      'tiny',
      '--device',
      'cpu',
      '--widths',
      'f32',
      '--torch-device',
      'cpu',
      '--python',
      python,
    ];
    const { PATH, ESPALIER_PYTHON, ESPALIER_CACHE = join(homedir(), '.cache/espalier') } = process.env;
    const environment = { HOME: join(folder, 'empty'), PATH, ESPALIER_PYTHON, ESPALIER_CACHE };
    const stdout = execFileSync(join(kit, 'kit'), [...asked, '--work', join(folder, 'work')], {
      encoding: 'utf8',
      env: environment,
    });
    console.log(stdout);
    const { dtypes } = measured(join(folder, 'work')).peer;
    for (const dtype of ['float32', 'bfloat16'])
      for (const job of ['analysis', 'healing', 'scoring'])
        expect(stdout).toMatch(new RegExp(`^\\| ${dtype}, ${job} \\| [\\d.]+ \\| \\d+\\.\\d+ \\|$`, 'm'));
    expect(Object.keys(dtypes)).toEqual(['float32', 'bfloat16']);
  });
});
