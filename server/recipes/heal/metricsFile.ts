// metrics.jsonl of a healing: a line for every step, every evaluation and the references, each with a checksum. A damaged line is
// missing from the curve, and nothing else is.
import { sealed, unsealed } from '../../checkpoint/sealed';
import { readText } from '../../files/text';
import { finiteJson } from '../../shared/finite';
import type { Progress } from '../../training/loop';
import type { HealEval, HealStep } from '../../protocol/reports';
import type { Line, References } from './metrics';

/** What is known of a run so far. */
export interface Recorded {
  readonly progress: Progress;
  readonly references: References | null;
  readonly steps: HealStep[];
  readonly evals: HealEval[];
}

export const jsonLine = (line: Line): string => `${sealed(finiteJson(line))}\n`;

/** The lines up to a state. What comes behind them, and may be cut off by a crash, is made again. `said`: what is missing. */
export async function readRecorded(path: string, progress: Progress): Promise<{ recorded: Recorded; said: string[] }> {
  const recorded: Recorded = { progress, references: null, steps: [], evals: [] };
  let references: Recorded['references'] = null;
  let [nDamaged, isDamaged] = [0, false];
  for (const text of (await textOf(path)).split('\n')) {
    if (text === '') continue;
    const line = unsealed(text) as Line | null;
    if (line === null) {
      nDamaged++;
      continue;
    }
    if ('references' in line) references = line.references;
    else if ('step' in line && isNext(recorded.steps, line.step, progress.step)) recorded.steps.push(line.step);
    else if ('evaluation' in line && isNext(recorded.evals, line.evaluation, progress.evaluatedAtStep + 1))
      recorded.evals.push(line.evaluation);
    else continue;
    isDamaged ||= nDamaged > 0;
  }
  const lacksItsLast = recorded.evals.length > 0 && recorded.evals.at(-1)!.step !== progress.evaluatedAtStep;
  const found = { ...recorded, references };
  const isWhole = !isDamaged && !lacksItsLast && recorded.steps.length === progress.step;
  return { recorded: found, said: isWhole ? [] : [missingSentence(path, found)] };
}

const isNext = (before: readonly { step: number }[], { step }: { step: number }, end: number): boolean =>
  step < end && step > (before.at(-1)?.step ?? -1);

/** Without the file all of its lines are missing. */
const textOf = (path: string): Promise<string> =>
  readText(path).catch((error: NodeJS.ErrnoException) => {
    if (['ENOENT', 'EISDIR', 'ELOOP'].includes(error.code ?? '')) return '';
    throw error;
  });

/** In the order in which they happened: an evaluation after n steps comes before step n. */
export function linesOf({ references, steps, evals }: Recorded): Line[] {
  const happened = [
    ...evals.map((evaluation) => ({ at: evaluation.step, line: { evaluation } })),
    ...steps.map((step) => ({ at: step.step + 0.5, line: { step } })),
  ].sort((one, other) => one.at - other.at);
  return [...(references ? [{ references }] : []), ...happened.map(({ line }) => line)];
}

function missingSentence(path: string, { progress, references, steps }: Recorded): string {
  const known = new Set(steps.map(({ step }) => step));
  const missing = Array.from({ length: progress.step }, (_, step) => step).filter((step) => !known.has(step));
  const few = missing.slice(0, 5).join(', ');
  const which = missing.length > 5 ? `${few} and ${missing.length - 5} more` : few;
  const lacks = missing.length > 0 ? `${missing.length === 1 ? 'step' : 'steps'} ${which}` : 'an evaluation';
  const lost = missing.length === 0 && references === null ? 'no step' : lacks;
  return `${path} is damaged; the curve lacks ${lost}, and nothing else is lost.`;
}
