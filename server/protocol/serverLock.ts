// The lock files of a data folder as both ends read them. Hosts and containers may share the folder, as a home is shared: each
// place, where process numbers and ports mean the same, has a server and a lock file of its own.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { protocolName, protocolVersion, versionOf } from './compatibility';
import { identityFields, identityOf, type ProcessIdentity, placeHere, readAs, standingOf } from './processIdentity';
import type { ServerLock } from './server';

/** The server's process, and the network in which it listens. */
export type ServerIdentity = ProcessIdentity & Pick<ServerLock, 'network'>;

export const lockFolder = (dataFolder: string): string => join(dataFolder, 'servers');

/** Of the server of one place, this one as a rule. */
export function lockPath(dataFolder: string, { place, network } = here()): string {
  const name = createHash('sha256').update(`${place} ${network}`).digest('hex').slice(0, 16);
  return join(lockFolder(dataFolder), `${name}.json`);
}

const here = () => ({ place: placeHere(), network: networkHere() });

/** Where servers had their lock before each place had its own. */
export const earlierLockPath = (dataFolder: string): string => join(dataFolder, 'server.json');

export type FoundLock =
  /** There is none, or it is damaged. */
  | { readonly kind: 'none' }
  | { readonly kind: 'present'; readonly lock: ServerLock }
  | { readonly kind: 'earlier'; readonly lock: EarlierLock }
  /** It cannot be known from it whether that server lives. */
  | { readonly kind: 'later'; readonly protocol: string; readonly path: string };

/** What the locks of all servers before these had in common. */
export interface EarlierLock {
  pid: number;
  port: number;
  protocol: string;
  wire?: string | undefined;
  build: string;
}

const port = z.int().positive().max(65_535);
const identity = { ...identityFields, network: z.string() };
export const serverIdentitySchema: z.ZodType<ServerIdentity> = z.object(identity);
const lockSchema: z.ZodType<ServerLock> = z.object({
  ...identity,
  port,
  token: z.string().min(1),
  protocol: z.literal(protocolName),
  wire: z.string().optional(),
  build: z.string(),
});
const earlierSchema: z.ZodType<EarlierLock> = z.object({
  pid: identity.pid,
  port,
  protocol: z.string(),
  wire: z.string().optional(),
  build: z.string(),
});
/** The one field that locks of all protocols have. */
const namedSchema = z.object({ protocol: z.string() });

export function understoodLock(text: string, path: string): FoundLock {
  const protocol = readAs(namedSchema, text)?.protocol;
  if (protocol === undefined) return { kind: 'none' };
  const version = versionOf(protocol) ?? 0;
  if (version > protocolVersion) return { kind: 'later', protocol, path };
  if (version === protocolVersion) {
    const lock = readAs(lockSchema, text);
    return lock ? { kind: 'present', lock } : { kind: 'none' };
  }
  const lock = readAs(earlierSchema, text);
  return version > 0 && lock ? { kind: 'earlier', lock } : { kind: 'none' };
}

/** The lock of this place. Throws what the file system says, except that there is none. */
export function readLock(dataFolder: string): FoundLock {
  const path = lockPath(dataFolder);
  const text = textAt(path);
  return text === null ? readEarlierLock(dataFolder) : understoodLock(text, path);
}

/** That of a server from before each place had its own. */
export function readEarlierLock(dataFolder: string): Extract<FoundLock, { kind: 'none' | 'earlier' | 'later' }> {
  const path = earlierLockPath(dataFolder);
  const text = textAt(path);
  if (text === null) return { kind: 'none' };
  const found = understoodLock(text, path);
  if (found.kind === 'later') return found;
  const lock = readAs(earlierSchema, text);
  return lock && versionOf(lock.protocol) !== null ? { kind: 'earlier', lock } : { kind: 'none' };
}

function textAt(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** A server writes to its lock every few seconds; one elsewhere that has not for this long is gone, as far as can be told. */
export const tendedMs = 30_000;

/**
 * Whether a server lives. To be asked by the server that has the lock of this place: then no other one of this place does.
 */
export function serverLives(dataFolder: string, server: ServerIdentity): boolean {
  const { place, network } = here();
  if (server.place === place && server.network === network) return false;
  const path = lockPath(dataFolder, server);
  const found = understoodLock(textAt(path) ?? '', path);
  if (found.kind !== 'present' || found.lock.pid !== server.pid || found.lock.started !== server.started) return false;
  const standing = standingOf(server);
  if (standing !== 'elsewhere') return standing !== 'gone';
  // Both times are those of the one who keeps the files, whatever the clocks of the hosts say.
  const [mine, theirs] = [writtenAtMs(lockPath(dataFolder)), writtenAtMs(path)];
  if (theirs === 'unknown') return true;
  return (typeof mine === 'number' ? mine : Date.now()) - (theirs ?? 0) < tendedMs;
}

/**
 * Of an opened file, since a network file system may have the time of an unopened one from before. null: it is not there;
 * unknown: the system does not say now.
 */
function writtenAtMs(path: string): number | null | 'unknown' {
  try {
    const file = openSync(path, 'r');
    try {
      return fstatSync(file).mtimeMs;
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : 'unknown';
  }
}

/** The network namespace: where a port means the same as here. Empty where there are none. */
function networkHere(): string {
  try {
    return readlinkSync('/proc/self/ns/net');
  } catch {
    return '';
  }
}

/** @param pid of this process, or of one in the same namespaces */
export const serverIdentityOf = (pid: number): ServerIdentity => ({ ...identityOf(pid), network: networkHere() });
