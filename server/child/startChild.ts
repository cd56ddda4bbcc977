// Starts one of our bundles as a child process with a channel for messages. What keeps it from being started fails the one
// piece of work that needed it, in a sentence.
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '../errors';

export interface ChildOptions {
  /** What the sentences call it, such as `engine`. */
  readonly name: string;
  readonly execArgv: readonly string[];
}

/** Why there is no child. */
export interface Hindrance {
  readonly code: ErrorCode | 'internal';
  readonly message: string;
}

export type StartedChild =
  | {
      readonly child: ChildProcess;
      /** The end of what it has said on either of its outputs, where libraries say things too. */
      said(): string;
    }
  | { readonly hindrance: Promise<Hindrance> };

/** Our bundles lie side by side. */
const bundleOf = (name: string) => join(__dirname, `${name}.cjs`);

/** False where an update has removed the folder of this program. */
export const childExists = (name: string): boolean => existsSync(bundleOf(name));

/** @param onSaid called with each piece of what it says */
export function startChild({ name, execArgv }: ChildOptions, onSaid: (text: string) => void = () => {}): StartedChild {
  let child: ChildProcess;
  try {
    child = fork(bundleOf(name), [String(process.pid)], {
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
      execArgv: [...execArgv],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
  } catch (error) {
    return { hindrance: Promise.resolve(hindranceOf(name, error)) };
  }
  // The reason comes as an event, and there may be no pipes.
  if (child.pid === undefined)
    return { hindrance: new Promise((resolve) => child.once('error', (error) => resolve(hindranceOf(name, error)))) };
  child.on('error', () => {}); // it could not be killed, or be told something
  return { child, said: tailOf(child, onSaid) };
}

const mostSaid = 4000;

function tailOf({ stdout, stderr }: ChildProcess, onSaid: (text: string) => void): () => string {
  let tail = '';
  for (const stream of [stdout!, stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-mostSaid);
      onSaid(text);
    });
  return () => tail;
}

function hindranceOf(name: string, error: unknown): Hindrance {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const [kind, why] = hindrances[code] ?? ['internal', 'the system does not say more'];
  return { code: kind, message: `The ${name} cannot be started (${code}): ${why}.` };
}

const hindrances: Readonly<Record<string, readonly [code: ErrorCode, why: string]>> = {
  EMFILE: ['cannotFit', 'too many files are open; close other windows, or raise the limit (ulimit -n)'],
  ENFILE: ['cannotFit', 'too many files are open on this machine; close other programs'],
  EAGAIN: ['cannotFit', 'you have as many processes as you may have; end some, or raise the limit (ulimit -u)'],
  ENOMEM: ['cannotFit', 'there is no memory left for it; close other programs'],
  E2BIG: ['usage', 'the environment variables are too long; shorten them and restart the server'],
  ENOENT: ['otherBuild', 'the Node that runs this is gone, most likely by an update; restart the server'],
  EACCES: ['otherBuild', 'the Node that runs this may not be started any more; restart the server'],
};
