// What a command reads is never written over. Places are compared as the file system knows them, by device and number of what
// lies there, so that links, `..` and another spelling make no difference.
import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { UserError } from '../errors';
import { openToRead } from '../files/contained';
import { nullIfMissing } from '../shared/systemErrors';

/** A file or a folder that is read. */
export interface ReadPlace {
  readonly path: string;
  /**
   * Of a folder: into `model` nothing is written at all. `data` may be a folder of many things; its files stay as they are,
   * but for earlier reports.
   */
  readonly as: 'model' | 'data';
}

/** @throws UserError `cannotWrite` where the output is something that is read, or lies in a model that is read. */
export async function refuseOverwriting(output: string, reads: readonly ReadPlace[]): Promise<void> {
  const self = await identityOf(output);
  const around = await foldersAround(output);
  for (const { path, as } of reads) {
    const read = await identityOf(path);
    if (!read) continue;
    if (self?.id === read.id) throw refused(`${resolve(output)} is being read`);
    if (read.kind !== 'folder') continue;
    const within = around.has(read.id);
    if (as === 'model' && within) throw refused(`${resolve(output)} lies inside ${resolve(path)}, which is being read`);
    if (self?.kind !== 'file' || !(within || (await holds(path, self.id)))) continue;
    if (as === 'model' || !(await isEarlierReport(output)))
      throw refused(`${resolve(output)} is a file of ${resolve(path)}, which is being read`);
  }
}

/** @throws UserError `usage` for two outputs of one place, of which one would be lost. */
export async function refuseSamePlace(outputs: readonly string[]): Promise<void> {
  const seen = new Set<string>();
  for (const output of outputs) {
    const place = (await identityOf(output))?.id ?? (await realPlace(output));
    if (seen.has(place))
      throw new UserError('usage', `Two outputs are to go to ${resolve(output)}; give each a place of its own.`);
    seen.add(place);
  }
}

const refused = (what: string) => new UserError('cannotWrite', `${what}; choose another place for what is written.`);

interface Identity {
  readonly id: string;
  readonly kind: 'file' | 'folder' | 'other';
}

/** Of what lies at the end of all links; null: nothing. */
async function identityOf(path: string): Promise<Identity | null> {
  const stats = await stat(resolve(path), { bigint: true }).catch(nullIfMissing);
  if (!stats) return null;
  return { id: `${stats.dev}:${stats.ino}`, kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other' };
}

/** Of all folders that a path lies in or will lie in, up to the root. */
async function foldersAround(path: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (let at = dirname(await realPlace(path)); ; at = dirname(at)) {
    const identity = await identityOf(at);
    if (identity) found.add(identity.id);
    if (dirname(at) === at) return found;
  }
}

/** With all links resolved, as far as there is something. */
async function realPlace(path: string): Promise<string> {
  const whole = resolve(path);
  const real = await realpath(whole).catch(nullIfMissing);
  return (
    real ??
    (dirname(whole) === whole ? whole : join(await realPlace(dirname(whole)), whole.slice(dirname(whole).length)))
  );
}

// As deep as benchmark data is looked for, and a bound on what a home folder costs.
const deepest = 6;
const mostEntries = 20_000;

/** Whether a folder holds the file, under any name: those of Hugging Face's cache are links to files outside. */
async function holds(folder: string, id: string): Promise<boolean> {
  let level = [resolve(folder)];
  let nSeen = 0;
  for (let depth = 0; depth <= deepest && level.length > 0; depth++) {
    const below: string[] = [];
    for (const at of level)
      for (const name of await readdir(at).catch((): string[] => [])) {
        if (++nSeen > mostEntries) return false;
        const identity = await identityOf(join(at, name));
        if (identity?.id === id) return true;
        if (identity?.kind === 'folder') below.push(join(at, name));
      }
    level = below;
  }
  return false;
}

/** By how reports and logs of items begin. */
async function isEarlierReport(path: string): Promise<boolean> {
  const file = await openToRead(path).catch(() => null);
  if (!file) return false;
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(1024) });
    const beginning = buffer.toString('utf8', 0, bytesRead);
    return /^\{\s*"kind":\s*"\w+",\s*"|^\{\s*"results":\s*\{|^\{"model":".*","task":"\w+","docId":/.test(beginning);
  } finally {
    await file.close();
  }
}
