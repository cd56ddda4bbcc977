// The sweep: a scenario is carried out once without a fault, then once for every n-th call of every kind with that call failing.
// After each fault the work is done right or was refused in a sentence, what is read is untouched, nothing that is not whole
// bears the name of an output, and the next run without faults ends as if nothing had been.
import { type CallKind, callKinds, type Fault, failures } from './kinds';
import { goneOnWith, type Rehearsal, rehearsed, type Scenario, watched } from './rehearsal';

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
export const sweep = (scenario: Scenario, choose: (all: readonly Fault[]) => readonly Fault[]): Promise<Swept> =>
  rehearsed(scenario, async (rehearsal) => {
    const { counts } = rehearsal.whole;
    const faults = choose(faultsOf(counts));
    const swept = { nDone: 0, nRefused: 0, wrong: [] as Found[] };
    for (const fault of faults) {
      const found = await tried(rehearsal, fault);
      if (found.wrong.length > 0) swept.wrong.push({ fault, hit: found.hit, wrong: found.wrong.join('; ') });
      if (found.done) swept.nDone++;
      else swept.nRefused++;
    }
    return { scenario: scenario.name, counts: Object.fromEntries(counts), nFaults: faults.length, ...swept };
  });

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

async function tried(rehearsal: Rehearsal, fault: Fault) {
  const { scenario, folder, renew } = rehearsal;
  renew();
  const { ended, layer } = await watched(folder, fault, () => scenario.run(scenario.command(folder), folder));
  const wrong = ended.done ? [] : wrongIn(ended.said, folder);
  wrong.push(...(await goneOnWith(rehearsal, ended)));
  return { done: ended.done, hit: layer.hit(), wrong };
}

/** One sentence that names the place, without a stack. */
function wrongIn(said: string, folder: string): string[] {
  const lines = said.trimEnd().split('\n');
  const wrong: string[] = [];
  if (lines.length !== 1 || / at .*:\d+:\d+|\{$/.test(said)) wrong.push(`no sentence: ${said.slice(0, 300)}`);
  else if (!/[.?]$/.test(lines[0]!)) wrong.push(`no whole sentence: ${said}`);
  if (!said.includes(folder)) wrong.push(`names no path: ${said.slice(0, 200)}`);
  return wrong;
}
