// Work that is carried out again and again, each time with something else going wrong: what is there before it, what it comes
// to where nothing goes wrong, and whether it comes to that all the same when it is run once more.
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Fault } from './kinds';
import { type FaultLayer, installFaults } from './layer';

export interface Scenario {
  readonly name: string;
  /** Makes what is there before; done once. Inputs lie in `in/`, which must not change. */
  prepare(folder: string): Promise<void>;
  /** The command, as it is typed. */
  command(folder: string): string[];
  /** What a person does after it failed: types the command, which may be another one. */
  again(folder: string): string[];
  run(command: readonly string[], folder: string): Promise<Ended>;
  /** What a whole result is: equal texts mean equal results. Throws where something has its name that is not whole. */
  result(folder: string): string | null;
  /** How many of each kind are tried where there is no time for all. */
  readonly nPerKind: number;
}

/** How it ended: done, or refused with what was said. */
export type Ended = { readonly done: true } | { readonly done: false; readonly said: string };

export interface Rehearsal {
  readonly scenario: Scenario;
  readonly folder: string;
  /** As `folder` is before the work. */
  readonly template: string;
  /** Of the work that nothing went wrong in. */
  readonly whole: FaultLayer;
  readonly reference: { readonly result: string; readonly names: readonly string[]; readonly inputs: string };
  /** Makes the folder what it was before the work. */
  renew(): void;
}

/** What is brought to the disk is not looked at here, and a disk that others write to is slow. */
const inMemory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export async function rehearsed<T>(scenario: Scenario, work: (rehearsal: Rehearsal) => Promise<T>): Promise<T> {
  const root = realpathSync(mkdtempSync(join(inMemory, `faults-${scenario.name.replace(/\W+/g, '-')}-`)));
  const [template, folder] = [join(root, 'template'), join(root, 'work')];
  const renew = () => {
    rmSync(folder, { recursive: true, force: true });
    cpSync(template, folder, { recursive: true });
  };
  try {
    mkdirSync(join(folder, 'in'), { recursive: true });
    await scenario.prepare(folder);
    cpSync(folder, template, { recursive: true });
    renew();
    const { ended, layer: whole } = await watched(folder, null, () => scenario.run(scenario.command(folder), folder));
    if (!ended.done) throw new Error(`${scenario.name} fails without a fault: ${ended.said}`);
    const result = scenario.result(folder);
    if (result === null) throw new Error(`${scenario.name} has no result without a fault`);
    const reference = { result, names: namesIn(folder), inputs: hashOf(join(folder, 'in')) };
    return await work({ scenario, folder, template, whole, reference, renew });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Runs it under a layer. */
export async function watched(
  folder: string,
  fault: Fault | null,
  run: () => Promise<Ended>,
): Promise<{ ended: Ended; layer: FaultLayer }> {
  const layer = installFaults(folder, fault);
  try {
    return { ended: await settled(run), layer };
  } finally {
    layer.remove();
  }
}

const settled = (run: () => Promise<Ended>): Promise<Ended> =>
  run().catch((error: Error) => ({ done: false, said: `thrown: ${error.stack}` }));

/**
 * Looks at what is there after something went wrong, runs it once more and looks again.
 * @returns all that is not as it has to be
 */
export async function goneOnWith({ scenario, folder, reference }: Rehearsal, ended: Ended): Promise<string[]> {
  const wrong: string[] = [];
  const after = resultOf(scenario, folder);
  if (ended.done && after !== reference.result)
    wrong.push(`said to be done, but ${after === null ? 'not there' : 'another'}`);
  if (!ended.done && after !== null && after !== reference.result)
    wrong.push(`what is there is not whole: ${after.slice(0, 200)}`);
  bury(folder);
  const isLeft = namesIn(folder).some((name) => !reference.names.includes(name));
  const again = ended.done && !isLeft ? ended : await settled(() => scenario.run(scenario.again(folder), folder));
  if (!again.done) wrong.push(`does not go on: ${again.said}`);
  else {
    if (resultOf(scenario, folder) !== reference.result) wrong.push('the next run has another result');
    const names = namesIn(folder);
    const left = names.filter((name) => !reference.names.includes(name));
    const missing = reference.names.filter((name) => !names.includes(name));
    if (left.length > 0) wrong.push(`left behind: ${left}`);
    if (missing.length > 0) wrong.push(`missing: ${missing}`);
  }
  if (hashOf(join(folder, 'in')) !== reference.inputs) wrong.push('what is read has changed');
  return wrong;
}

/** What lies there under the number of this process is now of one that is gone, and has been for a while. */
function bury(folder: string): void {
  const gone = String(2 ** 22 + 1);
  for (const name of namesIn(folder).reverse()) {
    const path = join(folder, name);
    if (basename(name).includes('.espalier-lock')) {
      writeFileSync(path, readFileSync(path, 'utf8').replace(`"pid":${process.pid}`, `"pid":${gone}`));
      utimesSync(path, 0, 0);
    }
    if (basename(name).includes(`.partial-${process.pid}`))
      renameSync(path, join(dirname(path), basename(name).replace(`.partial-${process.pid}`, `.partial-${gone}`)));
  }
}

export function resultOf(scenario: Scenario, folder: string): string | null {
  try {
    return scenario.result(folder);
  } catch (error) {
    return `unreadable: ${(error as Error).message}`;
  }
}

export const namesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

/**
 * Of all files below a folder with their names; `asWritten` may leave out what differs from run to run. Who owns an output is no
 * part of it: a lock whose removal failed is void with its process, and the next run takes it away.
 */
export function hashOf(folder: string, asWritten = (_: string, bytes: Buffer): Buffer | string => bytes): string {
  if (!existsSync(folder)) return 'none';
  const hash = createHash('sha256');
  for (const name of namesIn(folder).filter((it) => !it.endsWith('.espalier-lock'))) {
    const path = join(folder, name);
    hash.update(name);
    if (statSync(path).isFile()) hash.update(asWritten(name, readFileSync(path)));
  }
  return hash.digest('hex').slice(0, 16);
}
