// A device measured in a process of its own: a driver may crash, and it may hang, and then that process is ended.
import type { ChildProcess } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { type StartedChild, startChild } from '../child/startChild';
import type { ProbeReply, ProbeRequest } from '../protocol/probe';

export type Probed = Extract<ProbeReply, { kind: 'measured' }> | { readonly kind: 'failed'; readonly why: string };

/** A card that sleeps takes seconds to wake. Where others wait for the processor, too, the probe has its share of it later. */
const withinMs = () => 15_000 * Math.min(10, Math.max(1, loadavg()[0]! / cpus().length));

/** `why` ends a sentence and says what to do. Never rejects. */
export async function probeDevice(
  device: ProbeRequest['device'],
  start: () => StartedChild = () => startChild({ name: 'probe', execArgv: [] }),
  mostMs = withinMs(),
): Promise<Probed> {
  const started = start();
  if ('hindrance' in started) return { kind: 'failed', why: withoutStop((await started.hindrance).message) };
  const how = await outcome(started.child, { device }, mostMs);
  if (typeof how !== 'string') return how.kind === 'measured' ? how : failed(`its driver refused: ${how.message}`);
  return failed(how);
}

const failed = (how: string): Probed => ({
  kind: 'failed',
  why: `${how} (update its driver; espalier devices tries again)`,
});

/** What the child answered, or how it ended without. It is gone afterwards. */
function outcome(child: ChildProcess, request: ProbeRequest, mostMs: number): Promise<ProbeReply | string> {
  let reply: ProbeReply | null = null;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, mostMs);
  // Libraries say things on either; a full pipe would stop them.
  for (const stream of [child.stdout, child.stderr]) stream?.resume();
  child.on('message', (message: ProbeReply) => {
    reply = message;
    // A device's own threads may keep a process that has answered.
    child.kill('SIGKILL');
  });
  child.send(request, () => {});
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const lateness = `its probe did not answer within ${Number((mostMs / 1000).toPrecision(2))} s`;
      resolve(reply ?? (isLate ? lateness : `its probe crashed (${signal ?? `code ${code}`})`));
    });
  });
}

const withoutStop = (sentence: string) => sentence.replace(/\.$/, '');
