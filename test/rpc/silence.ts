// How long a process says nothing: pings, one at a time. The time for which the machine gave the processor to others, instead of
// the process or whoever pings it, is taken off: it says nothing of what the process was doing.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Silence {
  readonly nPings: number;
  /** The longest time between a ping and its answer. */
  readonly longestMs: number;
  /** The longest without what the machine and the pinging process took; at least what the process was busy. */
  readonly ownMs: number;
}

/** @param ping resolves with the answer */
export async function silenceOf(pid: number, ping: () => Promise<unknown>, until: Promise<unknown>): Promise<Silence> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  until.then(end, end);
  let [nPings, longestMs, ownMs] = [0, 0, 0];
  while (!isOver) {
    const [began, theirs, mine] = [performance.now(), scheduled(pid), scheduled(process.pid)];
    await ping();
    const ms = performance.now() - began;
    const [theirsNow, mineNow] = [scheduled(pid), scheduled(process.pid)];
    const waited = theirsNow.waitedMs - theirs.waitedMs + mineNow.waitedMs - mine.waitedMs;
    longestMs = Math.max(longestMs, ms);
    ownMs = Math.max(ownMs, theirsNow.ranMs - theirs.ranMs, ms - waited - (mineNow.ranMs - mine.ranMs));
    nPings++;
    await sleep(5);
  }
  return { nPings, longestMs, ownMs };
}

/** Of a main thread: how long it ran, and how long it could have run and did not. */
function scheduled(pid: number): { ranMs: number; waitedMs: number } {
  const [ran, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 };
}
