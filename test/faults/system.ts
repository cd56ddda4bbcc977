// What the layer stands on: Node's own calls as they were before it, and errors as Node makes them.
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import type { CallKind } from './kinds';

const requireHere = createRequire(typeof __filename === 'string' ? __filename : import.meta.url);
export const realFs: typeof import('node:fs') = { ...requireHere('node:fs') };
export const modules = {
  fs: requireHere('node:fs') as Record<string, unknown>,
  promises: requireHere('node:fs/promises') as Record<string, unknown>,
  processes: requireHere('node:child_process') as Record<string, unknown>,
};

/** The promises as they were, too: Node's `fs.promises` is one object with `node:fs/promises`. */
export const realPromises: typeof import('node:fs/promises') = { ...requireHere('node:fs/promises') };

// biome-ignore lint/suspicious/noExplicitAny: calls of all shapes are passed on.
export type AnyCall = (...args: any[]) => any;

export interface Call {
  /** As the system calls it. */
  readonly syscall: string;
  /** Told in the error, where Node tells it. */
  readonly path?: string;
  readonly dest?: string;
  /** The file that it is about, also where Node does not tell it. */
  readonly at: string;
}

const held = /^(\/proc\/(?:self|\d+)\/fd\/\d+)(?:\/(.+))?$/;

/** Where a path leads, also one that begins at an open folder. The last part is not followed. */
export function placeOf(path: string): string {
  const whole = resolve(path);
  const [, folder, inside] = held.exec(whole) ?? [];
  if (folder === undefined) return whole;
  try {
    const there = realFs.readlinkSync(folder);
    if (inside === undefined) return there;
    const above = join(there, dirname(inside));
    return join(above === there ? there : realFs.realpathSync.native(above), basename(inside));
  } catch {
    return whole;
  }
}

/** Passes a call, or throws what the system would. `short`: the call is to do half of its work. */
export type Gate = (kind: CallKind, call: Call) => 'whole' | 'short';

/** Node has no name for these. */
const unknownToNode: Readonly<Record<string, [errno: number, [name: string, words: string]]>> = {
  EDQUOT: [-122, ['Unknown system error -122', 'Unknown system error -122']],
};

/** As Node makes it, so that the program sees nothing unusual. */
export function systemError(code: string, { syscall, path, dest }: Call): NodeJS.ErrnoException {
  const [errno, [name, words]] = [...getSystemErrorMap()].find(([, [each]]) => each === code) ?? unknownToNode[code]!;
  const place = path === undefined ? '' : ` '${path}'${dest === undefined ? '' : ` -> '${dest}'`}`;
  const error = new Error(`${name}: ${words}, ${syscall}${place}`) as NodeJS.ErrnoException;
  return Object.assign(error, {
    errno,
    code: name,
    syscall,
    ...(path !== undefined && { path }),
    ...(dest && { dest }),
  });
}
