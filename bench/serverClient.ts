// A server of any build of Espalier, and bare clients of it, as benchmarks need them.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { newNonce, nonceHeader, replyTo } from '../server/protocol/proof';
import type { RunEvent } from '../server/protocol/server';

export interface BenchServer {
  /** From the start of its process until it listens. */
  readonly startMs: number;
  connect(): Promise<BenchClient>;
  /** Now, and at most so far. */
  rssBytes(): { now: number; peak: number };
  /** Processor time of its process so far: other programs of the machine change it little. */
  cpuMs(): number;
  end(): Promise<void>;
}

export interface BenchClient {
  request(method: string, params: object): Promise<unknown>;
  onEvents(listener: (runId: string, events: readonly RunEvent[]) => void): void;
  close(): Promise<void>;
}

/** @param root a checkout that is built */
export async function startBenchServer(root: string, dataFolder: string): Promise<BenchServer> {
  const began = performance.now();
  const args = [join(root, 'dist/espalier.cjs'), 'serve', '--data', dataFolder];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const lock = JSON.parse(readFileSync(await firstLine(child), 'utf8')) as Door;
  const startMs = performance.now() - began;
  return {
    startMs,
    connect: () => connect(lock),
    rssBytes: () => ({ now: statusBytes(child.pid!, 'VmRSS'), peak: statusBytes(child.pid!, 'VmHWM') }),
    cpuMs: () => cpuMsOf(child.pid!),
    async end() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** What lock files of all builds say of how to be let in. */
interface Door {
  readonly port: number;
  readonly token: string;
  readonly protocol: string;
  readonly wire: string;
  readonly build: string;
}

/** The path of its lock file. */
function firstLine(child: ChildProcess): Promise<string> {
  let said = '';
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (part) => (said += part));
    child.stdout!.once('data', (line) => resolve(String(line).trim()));
    child.once('close', () => reject(new Error(`the server did not start: ${said}`)));
  });
}

function statusBytes(pid: number, name: string): number {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** Linux counts in hundredths of a second. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function connect(door: Door): Promise<BenchClient> {
  const socket = await open(door);
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let onEvents: (runId: string, events: readonly RunEvent[]) => void = () => {};
  let nRequests = 0;
  socket.on('message', (data) => {
    const { id, method, params, result, error } = JSON.parse(String(data));
    if (method === 'runs/events') onEvents(params.runId, params.events);
    if (method !== undefined) return;
    if (error) waiting.get(id)?.reject(new Error(error.message));
    else waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  const client: BenchClient = {
    request(method, params) {
      const id = ++nRequests;
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
    },
    onEvents(listener) {
      onEvents = listener;
    },
    close() {
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      socket.close();
      return closed;
    },
  };
  const { protocol, wire, build } = door;
  await client.request('initialize', { initializationOptions: { protocol, wire, build, roots: [] } });
  return client;
}

/** Servers want a proof of the token, those of before the token itself. */
function open({ port, token, protocol }: Door): Promise<WebSocket> {
  const nonce = newNonce();
  const headers = { [nonceHeader]: nonce, authorization: `Bearer ${token}` };
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, protocol, { headers, perMessageDeflate: false });
  let proof: string | null = null;
  socket.once('upgrade', ({ headers: answer }) => {
    proof = replyTo(answer, nonce, token);
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      if (proof !== null) socket.send(proof);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
