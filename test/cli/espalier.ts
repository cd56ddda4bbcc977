// Runs the built command line as a user does: a process of its own, with what it prints and how it ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repoRoot } from '../fixtures';

export const program = join(repoRoot, 'dist/espalier.cjs');
if (!existsSync(program)) throw new Error(`${program} is missing; npm run build makes it`);

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly process: ChildProcess;
  readonly pid: number;
  /** What came on stderr so far. */
  stderr(): string;
  readonly ended: Promise<Ended>;
}

/** Starts it in a process group of its own, as a shell would. */
export function start(args: readonly string[], cwd?: string): Started {
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, ...said })),
  );
  return { process: child, pid: child.pid!, stderr: () => said.stderr, ended };
}

export const espalier = (args: readonly string[], cwd?: string): Promise<Ended> => start(args, cwd).ended;

/** All files under a folder with their sizes, to see that nothing was left. */
export const contentsOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => path.slice(folder.length + 1))
    .sort();

// Linux tells these things under /proc.

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Without the readers of a server, which come and go; with engines that have ended until their parent knows. */
export const enginesOf = (pid: number): number[] =>
  childrenOf(pid).filter((child) => {
    try {
      return !readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('reader.cjs');
    } catch {
      return false;
    }
  });

/** A zombie is not running: it waits for somebody to ask how it ended. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits until something is so. Throws when it does not come. */
export async function until(what: string, isSo: () => boolean, withinMs = 30_000): Promise<void> {
  for (const began = performance.now(); !isSo(); ) {
    if (performance.now() - began > withinMs) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
