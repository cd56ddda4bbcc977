// The in-host suite: a table of tests that runs inside the extension host of a real workbench, beside the packaged
// extension. Here the workbench is started, and every row is told how it went.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repoRoot } from '../fixtures';
import { hostTests, resultOf, type HostResult } from './inHost/tests';
import { packagedExtension, workbenchAvailable } from './vsix';
import { startWorkbench } from './workbench';
import { copyStories } from './stories';

describe.skipIf(!workbenchAvailable())('inside the extension host', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-in-host-'));
  const results = new Map<string, HostResult>();
  const lines: string[] = [];

  beforeAll(async () => {
    const tests = join(folder, 'suite.cjs');
    await build({
      entryPoints: [join(repoRoot, 'test/workbench/inHost/suite.ts')],
      outfile: tests,
      bundle: true,
      platform: 'node',
      external: ['vscode'],
      logLevel: 'error',
    });
    let ended = (_: number) => {};
    const exit = new Promise<number>((resolve) => (ended = resolve));
    const workbench = await startWorkbench({
      vsix: packagedExtension(),
      fill: copyStories,
      inHost: {
        extension: join(repoRoot, 'test/workbench/inHost'),
        tests,
        onLog: (line) => lines.push(line),
        onExit: ended,
      },
    });
    try {
      await workbench.openWindow();
      await exit;
    } finally {
      await workbench.end();
    }
    for (const result of lines.map(resultOf.read)) if (result) results.set(result.name, result);
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(Object.keys(hostTests))('%s', (name) => {
    expect(results.get(name), lines.join('\n')).toEqual({ name, error: null });
  });
});
