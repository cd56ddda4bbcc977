// Commands as processes of their own, of which one dies at a call or cannot be started.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { program } from '../cli/espalier';
import { repoRoot } from '../fixtures';
import type { Fault } from './kinds';
import { type Planned, variable } from './preload';
import type { Ended } from './rehearsal';

export interface Preload {
  /** For the environment of a process and of those that it starts. */
  environment(planned: Omit<Planned, 'sign'>): NodeJS.ProcessEnv;
  /** How many calls of each kind the process of the last plan made; null: it did not come, or has died. */
  counts(): Record<string, number> | null;
  [Symbol.dispose](): void;
}

export function openPreload(): Preload {
  const folder = mkdtempSync(join(tmpdir(), 'preload-'));
  const [bundle, sign] = [join(folder, 'preload.cjs'), join(folder, 'sign')];
  buildSync({
    entryPoints: [join(repoRoot, 'test/faults/preload.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'error',
    logOverride: { 'empty-import-meta': 'silent' },
  });
  return {
    environment(planned) {
      rmSync(sign, { force: true });
      const value: Planned = { ...planned, sign };
      return { ...process.env, NODE_OPTIONS: `--require ${bundle}`, [variable]: JSON.stringify(value) };
    },
    counts() {
      const found = existsSync(sign) ? (JSON.parse(readFileSync(sign, 'utf8')) as Record<string, number>) : {};
      return Object.keys(found).length > 0 ? found : null;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Carries a command out, of whose processes the first of that name has the fault. */
export async function ranWith(
  preload: Preload,
  command: readonly string[],
  folder: string,
  of: { program: string; fault: Fault | null },
): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...command, '--quiet'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...preload.environment({ ...of, folder }), NO_COLOR: '1' },
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return code === 0 ? { done: true } : { done: false, said: said || `it ended with ${code}` };
}
