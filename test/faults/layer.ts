// A layer under Node's file calls and process starts that counts them by kind, fails the n-th of a kind, and keeps a journal of
// what changed the disk. It sees only what lies below one folder, in the process that installs it. Node's modules are changed for
// all who import them, which `syncBuiltinESMExports` makes true for `import`, too.
import { syncBuiltinESMExports } from 'node:module';
import { resolve, sep } from 'node:path';
import { callbackCalls, promiseCalls } from './asyncCalls';
import { type Journal, openJournal } from './journal';
import { type CallKind, death, type Fault } from './kinds';
import { startCalls } from './startCalls';
import { syncCalls } from './syncCalls';
import { type Gate, modules, placeOf, systemError } from './system';

export interface FaultLayer {
  /** Calls so far, by kind. */
  readonly counts: ReadonlyMap<CallKind, number>;
  /** Kept where there is no fault. */
  readonly journal: Journal;
  /** What was failed, in words; null: the fault has not come yet. */
  hit(): string | null;
  /** Whether a function of Node's is watched. */
  knows(call: unknown): boolean;
  /** Fails nothing any more, and goes on counting. */
  calm(): void;
  remove(): void;
}

/** @param fault null: calls are only counted, and written down in the journal */
export function installFaults(folder: string, fault: Fault | null = null): FaultLayer {
  const root = resolve(folder);
  const isInside = (path: unknown): path is string => typeof path === 'string' && liesBelow(root, placeOf(path));
  const counts = new Map<CallKind, number>();
  let armed = fault;
  let hit: string | null = null;
  let nThere = 0;
  const gate: Gate = (kind, call) => {
    const nOfKind = counts.get(kind) ?? 0;
    counts.set(kind, nOfKind + 1);
    if (armed?.at && armed.kind === kind && !call.at.endsWith(armed.at)) return 'whole';
    const n = armed?.at && armed.kind === kind ? nThere++ : nOfKind;
    if (armed?.kind !== kind || (armed.lasting ? n < armed.n : n !== armed.n)) return 'whole';
    hit ??= `${armed.how} at ${call.syscall} ${call.at.replace(root, '')}`;
    if (armed.how === 'short') return 'short';
    if (armed.how === death) process.kill(process.pid, 'SIGKILL');
    throw systemError(armed.how, call);
  };
  const journal = openJournal(fault === null);
  const sync = syncCalls({ gate, isInside, journal });
  const { isWatched: _, ...syncOnes } = sync;
  const replaced = [
    { of: modules.fs, calls: { ...syncOnes, ...callbackCalls(sync, isInside) } },
    { of: modules.promises, calls: promiseCalls(sync, isInside) },
    { of: modules.processes, calls: startCalls(gate, modules.processes as never) },
  ];
  const ours = new Set<unknown>(replaced.flatMap(({ calls }) => Object.values(calls)));
  const undo = replaced.map(({ of, calls }) => replace(of, calls));
  syncBuiltinESMExports();
  return {
    counts,
    journal,
    hit: () => hit,
    knows: (call) => ours.has(call),
    calm() {
      armed = null;
    },
    remove() {
      for (const each of undo) each();
      syncBuiltinESMExports();
    },
  };
}

const liesBelow = (root: string, place: string): boolean => place === root || place.startsWith(root + sep);

function replace(module: Record<string, unknown>, calls: object): () => void {
  const before = new Map(Object.keys(calls).map((name) => [name, module[name]]));
  for (const [name, call] of Object.entries(calls)) module[name] = Object.assign(call, before.get(name));
  return () => {
    for (const [name, call] of before) module[name] = call;
  };
}
