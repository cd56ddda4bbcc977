// What a process of ours has held at most.
import { readFileSync } from 'node:fs';

/** The most memory this process has held. Linux keeps it by process; elsewhere the resource usage says it. */
export function peakMemoryBytes(): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}
