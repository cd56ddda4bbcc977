// Starts of processes, which fail in two ways: what the system has no room for is thrown, and the rest is an event of a process
// that never was.
import type { ChildProcess } from 'node:child_process';
import { type AnyCall, type Gate, systemError } from './system';

type Start = (...args: Parameters<AnyCall>) => ChildProcess;

/** Node throws these; others come as an event. */
const thrown = ['ENOMEM'];

export function startCalls(gate: Gate, real: { fork: Start; spawn: Start }): Record<string, Start> {
  // Held before they are replaced.
  const { fork, spawn } = real;
  const failing =
    (start: Start): Start =>
    (...args) => {
      const call = { syscall: 'spawn', path: String(args[0]), at: String(args[0]) };
      try {
        gate('start', call);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (thrown.includes(code!)) throw error;
        const none = spawn('/nonexistent/program', [], { stdio: ['ignore', 'ignore', 'pipe'] });
        const { emit } = none;
        none.emit = (event: string, ...rest: unknown[]) =>
          Reflect.apply(emit, none, [event, ...(event === 'error' ? [systemError(code!, call)] : rest)]);
        return none;
      }
      return start(...args);
    };
  return { fork: failing(fork), spawn: failing(spawn) };
}
