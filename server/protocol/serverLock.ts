// The lock file of a data folder as both ends read it: what it says, and how one on another host shows that it lives.
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { protocolName, protocolVersion, versionOf } from './compatibility';
import type { ServerLock } from './server';

export const lockPath = (dataFolder: string): string => join(dataFolder, 'server.json');

export type FoundLock =
  /** There is none, or it is damaged. */
  | { readonly kind: 'none' }
  | { readonly kind: 'present'; readonly lock: ServerLock }
  | { readonly kind: 'earlier'; readonly lock: EarlierLock }
  /** It cannot be known from it whether that server lives. */
  | { readonly kind: 'later'; readonly protocol: string };

/** What all protocols before this one had in common. */
export interface EarlierLock {
  pid: number;
  port: number;
  protocol: string;
  wire?: string | undefined;
  build: string;
}

const pid = z.int().positive();
const port = z.int().positive().max(65_535);
const lockSchema: z.ZodType<ServerLock> = z.object({
  pid,
  started: z.string(),
  place: z.string(),
  host: z.string(),
  network: z.string(),
  port,
  token: z.string().min(1),
  protocol: z.literal(protocolName),
  wire: z.string().optional(),
  build: z.string(),
});
const earlierSchema: z.ZodType<EarlierLock> = z.object({
  pid,
  port,
  protocol: z.string(),
  wire: z.string().optional(),
  build: z.string(),
});
/** The one field that locks of all protocols have. */
const namedSchema = z.object({ protocol: z.string() });

export function understoodLock(text: string): FoundLock {
  const content = parsed(text);
  const named = namedSchema.safeParse(content);
  if (!named.success) return { kind: 'none' };
  const { protocol } = named.data;
  const version = versionOf(protocol) ?? 0;
  if (version > protocolVersion) return { kind: 'later', protocol };
  if (version === protocolVersion) {
    const lock = lockSchema.safeParse(content);
    return lock.success ? { kind: 'present', lock: lock.data } : { kind: 'none' };
  }
  const lock = earlierSchema.safeParse(content);
  return version > 0 && lock.success ? { kind: 'earlier', lock: lock.data } : { kind: 'none' };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Throws what the file system says, except that there is no lock. */
export function readLock(dataFolder: string): FoundLock {
  try {
    return understoodLock(readFileSync(lockPath(dataFolder), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'none' };
    throw error;
  }
}

/** A server writes its lock's time anew every few seconds; one elsewhere that has not for this long is dead. */
const tendedMs = 30_000;

/** @param now by the clock of that file system, where it can be had */
export function isTended(path: string, now: number): boolean {
  try {
    return now - statSync(path).mtimeMs < tendedMs;
  } catch {
    return false;
  }
}

export const elsewhereSentence = (folder: string, { host }: ServerLock): string =>
  `A server on ${host}, or in a container there, works on ${folder}: end it, or choose another folder. ` +
  `If it runs no more, its lock is void within ${tendedMs / 1000} s.`;

/** The network namespace: where a port means the same as here. Empty where there are none. */
export function networkHere(): string {
  try {
    return readlinkSync('/proc/self/ns/net');
  } catch {
    return '';
  }
}
