// Processes that a test started or found: whether they live, their children, and their end.
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A dead process that nobody has waited for yet still answers to signals, so its state is looked at. */
export function processIsAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== 'Z';
}

export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statOf(pid)?.parent === parent && processIsAlive(pid));
}

/**
 * The engines of a compute server; its other children are readers. Empty while nothing is computed. A child that is still a
 * copy of its parent does not count: the parent waits in `uv_spawn` until it runs its own program, for good if it is
 * stopped before.
 */
export const enginesOf = (serverPid: number): number[] =>
  childrenOf(serverPid).filter((pid) => procFile(pid, 'cmdline').includes('engine.cjs'));

/**
 * Asks it to end, with all that it started, and makes those that do not. An extension host outlives its server by a
 * moment, and what it writes then would be left behind.
 */
export async function endProcess(child: ChildProcess): Promise<void> {
  const family = child.pid === undefined ? [] : [child.pid, ...descendantsOf(child.pid)];
  child.kill('SIGTERM');
  for (const endMs = Date.now() + 8000; family.some(processIsAlive); await sleep(50)) {
    if (Date.now() < endMs) continue;
    for (const pid of family.filter(processIsAlive)) process.kill(pid, 'SIGKILL');
  }
}

function descendantsOf(parent: number): number[] {
  return childrenOf(parent).flatMap((pid) => [pid, ...descendantsOf(pid)]);
}

function statOf(pid: number): { state: string; parent: number } | null {
  // The name, in brackets, may hold spaces and brackets.
  const [state, parent] = procFile(pid, 'stat').split(') ').at(-1)!.split(' ');
  return state ? { state, parent: Number(parent) } : null;
}

/** A file of the kernel's about a process; empty for one that is gone. */
function procFile(pid: number, name: 'stat' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
