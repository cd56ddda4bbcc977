// Which process it was, for whoever finds a file of it later: another server, run or writer, perhaps on another host that
// shares the folder. A number means something only together with the time at which the process started, in one process
// namespace of one boot.
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import * as z from 'zod';

export interface ProcessIdentity {
  pid: number;
  /** When it started, in the system's own count; empty where the system does not say. */
  started: string;
  /** Boot and process namespace, the host's name where the system does not say: where the number means something. */
  place: string;
  /** For people. */
  host: string;
}

/** The fields of `ProcessIdentity` in a file. */
export const identityFields = {
  pid: z.int().positive(),
  started: z.string(),
  place: z.string(),
  host: z.string(),
};

/** What the text of such a file says; null: nothing of that form. */
export function readAs<T>(schema: z.ZodType<T>, text: string): T | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

export type Standing =
  | 'lives'
  | 'gone'
  /** There is a process of that number, and the system does not say whether it is the same one. */
  | 'unsure'
  /** It is a process of another host or container, which cannot be looked at from here. */
  | 'elsewhere';

export const identityOf = (pid: number): ProcessIdentity => ({
  pid,
  started: system.startOf(pid) ?? '',
  place: placeHere(),
  host: hostname(),
});

/** @param here the place of this process */
export function standingOf({ pid, started, place }: ProcessIdentity, here = placeHere()): Standing {
  if (place !== here) return 'elsewhere';
  if (started === '') return isAlive(pid) ? 'unsure' : 'gone';
  try {
    return system.startOf(pid) === started ? 'lives' : 'gone';
  } catch {
    return 'unsure';
  }
}

/** Whether there is a process of that number here, whichever it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

let known: string | null = null;
/** A process stays in its place. */
export function placeHere(): string {
  known ??= placeOn(system);
  return known;
}

const hostMark = 'host ';

/** False where the system does not say which boot it is: then it may be another one. */
export const isThisBoot = (place: string): boolean => place === placeHere() && !place.startsWith(hostMark);

/** What a system says of its boot and of its processes. */
interface System {
  /** Throws where it does not say. */
  place(): string;
  /** null: there is no such process, or the system does not say. Throws where it cannot be asked now. */
  startOf(pid: number): string | null;
}

export function placeOn({ place }: Pick<System, 'place'>): string {
  try {
    const found = place();
    if (found !== '') return found;
  } catch {}
  return `${hostMark}${hostname()}`;
}

/** What a program prints; its words do not depend on the user's language and zone. */
const said = (program: string, ...given: string[]): string =>
  execFileSync(program, given, { encoding: 'utf8', env: { LC_ALL: 'C', TZ: 'UTC' }, stdio: 'pipe' }).trim();

const systems: { readonly [name in NodeJS.Platform]?: System } = {
  linux: {
    place() {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
      return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
    },
    startOf: startInProc,
  },
  darwin: {
    place: () => said('/usr/sbin/sysctl', '-n', 'kern.bootsessionuuid'),
    startOf(pid) {
      if (!isAlive(pid)) return null;
      return said('/bin/ps', '-o', 'lstart=', '-p', String(pid)) || null;
    },
  },
};
const system: System = systems[process.platform] ?? { place: () => '', startOf: () => null };

/** In clock ticks since the boot. */
function startInProc(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
  // The name of the program, in brackets, may hold spaces and brackets. What is dead may wait for its parent to ask.
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
  return /^[ZX]/.test(fields[0]!) ? null : (fields[19] ?? null);
}
