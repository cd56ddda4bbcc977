// A server under all attacks at once, while one client pings it, and so is a process that does nothing but answer.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { attacksOn, makeHostileWorkspace, makeLongRun, type Sizes } from './attacks';
import { connect, errorOf, newFolder, startServer, stopServer, text } from './client';
import { type Silence, silenceOf } from './silence';

export interface UnderAttack {
  readonly server: Silence;
  /** What the machine does to anybody. */
  readonly idle: Silence;
  /** How each attack ended: its result is none of ours. */
  readonly ends: readonly { readonly what: string; readonly said: string; readonly ms: number }[];
}

export async function attack(sizes: Sizes, program?: string): Promise<UnderAttack> {
  const root = newFolder();
  const [data, workspace] = [join(root, 'data'), join(root, 'workspace')];
  mkdirSync(data, { mode: 0o700 });
  makeHostileWorkspace(workspace, sizes);
  const longRun = makeLongRun(data, workspace, sizes);
  const server = await startServer(data, 60, program);
  const idle = spawn(process.execPath, ['-e', 'process.on("message", (m) => process.send(m))'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const pinging = await connect(server.lock, []);
  const asked = attacksOn(workspace, longRun, sizes).map(async ({ what, carryOut }) => {
    const client = await connect(server.lock, [workspace, text]);
    const began = performance.now();
    const said = await errorOf(carryOut(client)).then(
      ({ message }) => message,
      () => 'answered',
    );
    await client.close();
    return { what, said, ms: performance.now() - began };
  });
  const over = Promise.all(asked);
  const [ofServer, ofIdle, ends] = await Promise.all([
    silenceOf(server.pid, () => pinging.request('server/status', {}), over),
    silenceOf(idle.pid!, () => new Promise((answered) => idle.once('message', answered) && idle.send(1)), over),
    over,
  ]);
  idle.kill();
  await pinging.close();
  await stopServer(server);
  rmSync(root, { recursive: true, force: true });
  return { server: ofServer, idle: ofIdle, ends };
}

export function inWords({ server, idle, ends }: UnderAttack): string {
  const of = ({ nPings, longestMs, ownMs }: Silence) =>
    `${ownMs.toFixed(0)} ms at the longest, ${longestMs.toFixed(0)} ms with what the machine did, in ${nPings} pings`;
  const rows = ends.map(({ what, said, ms }) => `  ${what}: ${said.slice(0, 150)} (${(ms / 1000).toFixed(1)} s)`);
  return [`the server was silent for ${of(server)};`, `an idle process for ${of(idle)}`, ...rows].join('\n');
}
