// Commands that run beside each other: in view, or quietly, when what they say is kept until somebody wants it.
import { spawn, spawnSync } from 'node:child_process';
import { setPriority } from 'node:os';
import { root } from './setup.mjs';

/** Its output goes where ours goes. True when it succeeded. */
export function inView(command, args, environment = process.env) {
  const child = spawn(command, args, { cwd: root, env: environment, stdio: 'inherit' });
  return new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}

/**
 * Keeps what it says, and shows it at once where `show` is set.
 * @param options.priority `low` lets others go first three times out of four, and so for all that the command starts
 */
export function quietly(command, args, { environment = process.env, priority = 'normal', show = false } = {}) {
  const child = spawn(command, args, { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  if (priority === 'low' && child.pid !== undefined) setPriority(child.pid, 5);
  const said = [];
  const hear = (part) => {
    said.push(part);
    if (show) process.stdout.write(part);
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  return new Promise((resolve) => {
    const end = (succeeded) => resolve({ succeeded, said: Buffer.concat(said).toString('utf8') });
    child.once('error', () => end(false));
    child.once('close', (code) => end(code === 0));
  });
}

export function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
