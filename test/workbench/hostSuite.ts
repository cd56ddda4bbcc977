// A test module inside the extension host of a real workbench of its own, beside the packaged extension.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { repoRoot } from '../fixtures';
import { copyStories } from './stories';
import { packagedExtension } from './vsix';
import { startWorkbench } from './workbench';

export interface SuiteRun {
  /** What the module wrote to its console: the only way out of the extension host. */
  readonly lines: readonly string[];
  /** What our extension wrote into its log meanwhile. */
  readonly ourLog: string;
}

/** Runs `run()` of the module at `source`, a path in the repository, to its end. */
export async function runInHost(source: string, environment: Record<string, string> = {}): Promise<SuiteRun> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-in-host-'));
  try {
    const tests = join(folder, 'suite.cjs');
    await build({
      entryPoints: [join(repoRoot, source)],
      outfile: tests,
      bundle: true,
      platform: 'node',
      external: ['vscode'],
      logLevel: 'error',
    });
    const lines: string[] = [];
    let ended = (_: number) => {};
    const exit = new Promise<number>((resolve) => (ended = resolve));
    const workbench = await startWorkbench({
      vsix: packagedExtension(),
      fill: copyStories,
      environment,
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
      return { lines, ourLog: workbench.ourLog() };
    } finally {
      await workbench.end();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
