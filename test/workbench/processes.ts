// Processes that a test started or found: whether they live, their children, and their end.
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

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

/** The engines of a compute server; they are its only children. Empty while nothing is computed. */
export const enginesOf = (serverPid: number): number[] => childrenOf(serverPid);

/** Asks it to end, and makes it when it does not. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const last = setTimeout(() => child.kill('SIGKILL'), 8000);
  await gone;
  clearTimeout(last);
}

function statOf(pid: number): { state: string; parent: number } | null {
  try {
    // The name, in brackets, may hold spaces and brackets.
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return { state: state!, parent: Number(parent) };
  } catch {
    return null;
  }
}
