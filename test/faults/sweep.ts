// The sweep: a scenario is carried out once without a fault, then once for every n-th call of every kind with that call failing.
// After each fault the work is done right or was refused in a sentence, what is read is untouched, nothing that is not whole
// bears the name of an output, and the next run without faults ends as if nothing had been.
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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type CallKind, callKinds, type Fault, failures } from './kinds';
import { type FaultLayer, installFaults } from './layer';

export interface Scenario {
  readonly name: string;
  /** Makes what is there before; done once. Inputs lie in `in/`, which must not change. */
  prepare(folder: string): Promise<void>;
  run(folder: string): Promise<Ended>;
  /** After a fault: the same, or going on. */
  again(folder: string): Promise<Ended>;
  /** What a whole result is: equal texts mean equal results. Throws where something has its name that is not whole. */
  result(folder: string): string | null;
  /** How many of each kind are tried where there is no time for all. */
  readonly nPerKind: number;
  /** Whether a sentence need not name a path. */
  readonly pathless?: RegExp;
}

/** How it ended: done, or refused with what was said. */
export type Ended = { readonly done: true } | { readonly done: false; readonly said: string };

export interface Found {
  readonly fault: Fault;
  readonly hit: string | null;
  readonly wrong: string;
}

export interface Swept {
  readonly scenario: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly nFaults: number;
  readonly nDone: number;
  readonly nRefused: number;
  readonly wrong: readonly Found[];
}

/** @param choose which faults of all are tried */
export async function sweep(scenario: Scenario, choose: (all: readonly Fault[]) => readonly Fault[]): Promise<Swept> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), `faults-${scenario.name}-`)));
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
    const whole = await watched(folder, null, scenario.run);
    if (!whole.ended.done) throw new Error(`${scenario.name} fails without a fault: ${whole.ended.said}`);
    const reference = { result: scenario.result(folder), names: namesIn(folder), inputs: hashOf(join(folder, 'in')) };
    const { counts } = whole.layer;
    const faults = choose(faultsOf(counts));
    const swept = { nDone: 0, nRefused: 0, wrong: [] as Found[] };
    for (const fault of faults) {
      renew();
      const found = await tried(scenario, folder, fault, reference);
      if (found.wrong.length > 0) swept.wrong.push({ fault, hit: found.hit, wrong: found.wrong.join('; ') });
      if (found.done) swept.nDone++;
      else swept.nRefused++;
    }
    return { scenario: scenario.name, counts: Object.fromEntries(counts), nFaults: faults.length, ...swept };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** For people: how many there were, and what went wrong. */
export const told = ({ scenario, counts, nFaults, nDone, nRefused, wrong }: Swept): string =>
  [
    `${scenario}: ${Object.entries(counts)
      .map(([kind, n]) => `${n} ${kind}`)
      .join(', ')}`,
    `${nFaults} faults: ${nDone} done right, ${nRefused} refused and gone on with`,
    ...wrong.map((each) => `${JSON.stringify(each.fault)} ${each.hit}\n    ${each.wrong}`),
  ].join('\n');

/** Every call of every kind; which of its failures comes is the turn of its number. */
export const faultsOf = (counts: ReadonlyMap<CallKind, number>): Fault[] =>
  callKinds.flatMap((kind) =>
    Array.from({ length: counts.get(kind) ?? 0 }, (_, n) => ({
      kind,
      n,
      how: failures[kind][n % failures[kind].length]!,
      lasting: n % 5 === 4,
    })),
  );

interface Reference {
  readonly result: string | null;
  readonly names: readonly string[];
  readonly inputs: string;
}

async function tried(scenario: Scenario, folder: string, fault: Fault, reference: Reference) {
  const wrong: string[] = [];
  const { ended, layer } = await watched(folder, fault, scenario.run);
  if (!ended.done) wrong.push(...wrongIn(ended.said, folder, scenario.pathless));
  const after = resultOf(scenario, folder);
  if (ended.done && after !== reference.result)
    wrong.push(`said to be done, but ${after === null ? 'not there' : 'another'}`);
  if (!ended.done && after !== null && after !== reference.result)
    wrong.push(`refused, and what is there is not whole: ${after.slice(0, 200)}`);
  bury(folder);
  const isLeft = namesIn(folder).some((name) => !reference.names.includes(name));
  const again = await watched(folder, null, ended.done && !isLeft ? async () => ({ done: true }) : scenario.again);
  if (!again.ended.done) wrong.push(`does not go on: ${again.ended.said}`);
  else {
    if (resultOf(scenario, folder) !== reference.result) wrong.push('the next run has another result');
    const names = namesIn(folder);
    const left = names.filter((name) => !reference.names.includes(name));
    const missing = reference.names.filter((name) => !names.includes(name));
    if (left.length > 0) wrong.push(`left behind: ${left}`);
    if (missing.length > 0) wrong.push(`missing: ${missing}`);
  }
  if (hashOf(join(folder, 'in')) !== reference.inputs) wrong.push('what is read has changed');
  return { done: ended.done, hit: layer.hit(), wrong };
}

/** What lies there under the number of this process is now of one that is gone, as it is after a command. */
function bury(folder: string): void {
  const gone = String(2 ** 22 + 1);
  for (const name of namesIn(folder).reverse()) {
    const path = join(folder, name);
    const isLock = basename(name).includes('.espalier-lock');
    if (isLock) writeFileSync(path, readFileSync(path, 'utf8').replace(`"pid":${process.pid}`, `"pid":${gone}`));
    if (basename(name).includes(`.partial-${process.pid}`))
      renameSync(path, join(dirname(path), basename(name).replace(`.partial-${process.pid}`, `.partial-${gone}`)));
  }
}

async function watched(folder: string, fault: Fault | null, run: Scenario['run']) {
  const layer: FaultLayer = installFaults(folder, fault);
  try {
    const ended = await run(folder).catch((error: Error) => ({ done: false as const, said: `thrown: ${error.stack}` }));
    return { ended, layer };
  } finally {
    layer.remove();
  }
}

function resultOf(scenario: Scenario, folder: string): string | null {
  try {
    return scenario.result(folder);
  } catch (error) {
    return `unreadable: ${(error as Error).message}`;
  }
}

/** One sentence that names the place, without a stack. */
function wrongIn(said: string, folder: string, pathless: RegExp | undefined): string[] {
  const lines = said.trimEnd().split('\n');
  const wrong: string[] = [];
  if (lines.length !== 1 || / at .*:\d+:\d+|\{$/.test(said)) wrong.push(`no sentence: ${said.slice(0, 300)}`);
  else if (!/[.?]$/.test(lines[0]!)) wrong.push(`no whole sentence: ${said}`);
  if (!said.includes(folder) && !pathless?.test(said)) wrong.push(`names no path: ${said.slice(0, 200)}`);
  return wrong;
}

export const namesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

/** Of all files below a folder with their names; `asWritten` may leave out what differs from run to run. */
export function hashOf(folder: string, asWritten = (_: string, bytes: Buffer): Buffer | string => bytes): string {
  if (!existsSync(folder)) return 'none';
  const hash = createHash('sha256');
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    hash.update(name);
    if (statSync(path).isFile()) hash.update(asWritten(name, readFileSync(path)));
  }
  return hash.digest('hex').slice(0, 16);
}
