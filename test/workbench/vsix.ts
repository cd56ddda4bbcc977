// The VSIX under test: made by the same script that makes the one for people, once for all suites of a test run.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { workbench, workbenchIsReady } from '../../scripts/workbench-setup.mjs';
import { available, repoRoot } from '../fixtures';

/** For `describe.skipIf(!workbenchAvailable())`. Under CI a missing workbench is an error. */
export function workbenchAvailable(): boolean {
  return available(workbench.chromium) && available(workbenchIsReady() ? workbench.node : `${workbench.folder}/ready`);
}

/** Made anew when a bundle, the manifest or a medium is newer than it. */
export function packagedExtension(): string {
  // Checkouts share the cache, and none may test the package of another.
  const checkout = createHash('sha256').update(repoRoot).digest('hex').slice(0, 8);
  const file = join(workbench.folder, `espalier-under-test-${checkout}.vsix`);
  const inputs = [
    'dist/extension.cjs',
    'dist/server.cjs',
    'dist/engine.cjs',
    'dist/reader.cjs',
    'dist/probe.cjs',
    'dist/webview.js',
    'dist/webview.css',
    'package.json',
  ];
  const newest = Math.max(...inputs.map((path) => statSync(join(repoRoot, path)).mtimeMs));
  if (!existsSync(file) || statSync(file).mtimeMs < newest)
    execFileSync(process.execPath, ['scripts/package.mjs', '--out', file], { cwd: repoRoot, stdio: 'pipe' });
  return file;
}
