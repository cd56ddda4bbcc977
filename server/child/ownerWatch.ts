// A child process ends with the process that started it, and with more memory than it may have, whatever its own thread is
// doing. Loaded by the children.
import { Worker } from 'node:worker_threads';

export interface OwnerWatch {
  /** The process id of who started this one. */
  readonly owner: number;
  /** Of the whole process as the system counts it; without it there is no limit. */
  readonly mostBytes?: number;
}

/**
 * A thread of its own looks twice a second: a template, a pattern or a graph may keep the main one for ever. The number of a
 * dead owner may be another program's soon, but it is not our parent then. Without the thread, as where the system gives
 * none, the process ends at its next turn of the loop.
 */
export function watchOwner(watched: OwnerWatch): void {
  process.on('disconnect', () => process.exit(1));
  const watch = `
    const { workerData: { owner, mostBytes = Infinity } } = require('node:worker_threads');
    const parent = process.ppid;
    const isThere = () => {
      try {
        return process.ppid === parent && process.kill(owner, 0);
      } catch (error) {
        return error.code === 'EPERM';
      }
    };
    const isSmall = () => mostBytes === Infinity || process.memoryUsage.rss() <= mostBytes;
    setInterval(() => (isThere() && isSmall()) || process.kill(process.pid, 'SIGKILL'), ${lookMs});`;
  const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };
  const thread = new Worker(watch, { eval: true, execArgv: [], workerData: watched, resourceLimits });
  thread.on('error', () => {});
  thread.unref();
}

const lookMs = 500;
