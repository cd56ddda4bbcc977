// Loaded by NODE_OPTIONS into the processes of a command, to install the layer in one of them: what is to go wrong there stands in
// the environment. It goes wrong once, in the first process of that name, so that what is tried again is tried without it.
import { basename } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import type { Fault } from './kinds';
import { installFaults } from './layer';
import { realFs } from './system';

export interface Planned {
  /** The bundle that the process runs, without its ending. */
  readonly program: string;
  readonly folder: string;
  /** null: calls are only counted. */
  readonly fault: Fault | null;
  /** Where the process says that it was there, and in the end how many calls of each kind it made. */
  readonly sign: string;
}

export const variable = 'ESPALIER_TEST_FAULT';

const planned = JSON.parse(process.env[variable] ?? 'null') as Planned | null;
if (planned && isMainThread && basename(process.argv[1] ?? '') === `${planned.program}.cjs`) {
  const { folder, fault, sign } = planned;
  if (!realFs.existsSync(sign)) {
    realFs.writeFileSync(sign, '{}');
    const layer = installFaults(folder, fault);
    process.on('exit', () => realFs.writeFileSync(sign, JSON.stringify(Object.fromEntries(layer.counts))));
  }
}
