// Servers on several hosts that share a data folder: each in process, network and host name spaces of its own, where the system
// lets this process make them. Where it does not, as in some containers, each is told by what it asks the system that it is on
// another boot. Either way nothing is skipped, and the title of the tests says which it was.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import type { ServerLock } from '../../server/protocol/server';
import { lockFolder } from '../../server/protocol/serverLock';
import { childrenOf, isRunning, until } from '../cli/espalier';
import { bundle, type Client, connect, stories } from './client';

export interface Host {
  readonly name: string;
  /** As this test's own namespace numbers it. */
  readonly serverPid: number;
  readonly lock: ServerLock;
  readonly lockFile: string;
  log(): string;
  connect(): Promise<Client>;
  /** As a person ends a server. */
  stop(): Promise<void>;
  /** As a power loss does. */
  kill(): Promise<void>;
}

/** `ip` is not everywhere; 0x8914 sets the flags of an interface, 0x41 is up and running. */
const loopback =
  'ip link set lo up 2>/dev/null || python3 -c "import fcntl, socket, struct; ' +
  "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH22x', b'lo', 0x41))\"";

const spaces = ['--pid', '--net', '--uts', '--mount', '--mount-proc', '--fork', '--kill-child'];
/** As root, and as a user who is root in a space of users. */
const unshareArguments = [spaces, ['--user', '--map-root-user', ...spaces]].find(
  (given) => spawnSync('unshare', [...given, 'sh', '-c', `${loopback} && hostname here`]).status === 0,
);
export const inWhat = unshareArguments ? 'in namespaces of their own' : 'that are told apart by what they are told';

/** Starts the server, and lets clients of other networks in through a socket in the file system. */
const inside = `
const { spawn } = require('node:child_process');
const { renameSync } = require('node:fs');
const net = require('node:net');
const [server, dataFolder, door, spoof] = process.argv.slice(1);
const child = spawn(process.execPath, [...(spoof ? ['--require', spoof] : []), server, dataFolder, '300'], { stdio: ['ignore', 'pipe', 'inherit'] });
child.on('exit', () => process.exit());
process.on('SIGTERM', () => child.kill('SIGTERM'));
const pass = (from, to) => from.on('error', () => to.destroy()).on('close', () => to.destroy()).pipe(to);
child.stdout.on('data', (text) => {
  process.stdout.write(text);
  const port = Number(/listening on port (\\d+)/.exec(String(text))?.[1]);
  if (!port) return;
  net.createServer((outer) => {
    const inner = net.connect(port, '127.0.0.1');
    pass(outer, inner);
    pass(inner, outer);
  }).listen(door + '.new', () => renameSync(door + '.new', door)); // a socket is there before it is listened to
});
`;

/** Another boot and other namespaces, as far as a server asks for them. */
const spoofed = (name: string) => `
const fs = require('node:fs');
const { readFileSync, readlinkSync } = fs;
fs.readFileSync = (path, ...more) => (path === '/proc/sys/kernel/random/boot_id' ? 'boot of ${name}' : readFileSync(path, ...more));
fs.readlinkSync = (path, ...more) => (String(path).startsWith('/proc/self/ns/') ? '${name}' : readlinkSync(path, ...more));
require('node:os').hostname = () => '${name}';
`;

/** @param folder for what the host needs beside the data folder */
export async function startHost(name: string, dataFolder: string, folder: string): Promise<Host> {
  const before = locksIn(dataFolder);
  const door = join(folder, `${name}-${Math.random().toString(36).slice(2)}`);
  const child = unshareArguments
    ? apart(unshareArguments, name, dataFolder, door)
    : spoofing(name, dataFolder, door, folder);
  let said = '';
  child.stdout!.setEncoding('utf8').on('data', (part: string) => (said += part));
  child.stderr!.setEncoding('utf8').on('data', (part: string) => (said += part));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await until(`${name} listens`, () => existsSync(door) || !isRunning(child.pid!));
  if (!existsSync(door)) throw new Error(`the server of ${name} has ended: ${said}`);
  const { lock, lockFile } = lockOf(name, dataFolder, before);
  const createConnection = () => connectTcp(door);
  const end = async (signal: NodeJS.Signals, pid: number) => {
    process.kill(pid, signal);
    await ended;
  };
  const serverPid = serverBelow(child.pid!);
  return {
    name,
    serverPid,
    lock,
    lockFile,
    log: () => said,
    connect: () => connect(lock, [stories, folder], { createConnection }),
    stop: () => end('SIGTERM', serverPid),
    kill: () => end('SIGKILL', -child.pid!),
  };
}

function apart(given: readonly string[], name: string, dataFolder: string, door: string): ChildProcess {
  const script = `${loopback}; hostname "$1"; shift; exec "$@"`;
  const program = [process.execPath, '-e', inside, bundle, dataFolder, door];
  return spawn('unshare', [...given, 'sh', '-c', script, 'sh', name, ...program], { detached: true, stdio: 'pipe' });
}

function spoofing(name: string, dataFolder: string, door: string, folder: string): ChildProcess {
  const spoof = join(folder, `${name}.cjs`);
  writeFileSync(spoof, spoofed(name));
  return spawn(process.execPath, ['-e', inside, bundle, dataFolder, door, spoof], { detached: true, stdio: 'pipe' });
}

/** The text of each lock file. */
function locksIn(dataFolder: string): Map<string, string> {
  const folder = lockFolder(dataFolder);
  const files = existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : [];
  return new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
}

/** @param before what was there before the server started: a host that was lost has left its lock */
function lockOf(name: string, dataFolder: string, before: ReadonlyMap<string, string>) {
  for (const [lockFile, text] of locksIn(dataFolder)) {
    const lock = JSON.parse(text) as ServerLock;
    if (lock.host === name && before.get(lockFile) !== text) return { lock, lockFile };
  }
  throw new Error(`${name} has no lock in ${dataFolder}`);
}

/** The process whose program is the server's bundle. */
function serverBelow(pid: number): number {
  for (const child of childrenOf(pid)) {
    const [, ...given] = readFileSync(`/proc/${child}/cmdline`, 'utf8').split('\0');
    if (given[given[0] === '--require' ? 2 : 0] === bundle) return child;
    const below = serverBelow(child);
    if (below > 0) return below;
  }
  return 0;
}
