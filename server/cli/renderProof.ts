// A proof as text for a terminal.
import { UserError } from '../errors';
import type { ProofCheck, ProveReport } from '../recipes/prove/recipe';
import { proofChecks } from '../protocol/proofChecks';
import { firstFailure } from '../publishing/proof';
import { table } from './table';

const marks: Record<ProofCheck['outcome'], string> = { passed: '✓', failed: '✗', notChecked: '–' };

export function renderProof({ of, passed, checks }: ProveReport): string {
  const open = checks.filter(({ outcome }) => outcome === 'notChecked').length;
  const failures = checks.filter(({ outcome }) => outcome === 'failed').length;
  const end = passed
    ? `The ${of} is what its runs made${open > 0 ? `, as far as it was checked (${open} not)` : ''}.`
    : `${failures} of ${checks.length} checks failed: the ${of} is not fit to be published.`;
  return [
    table(checks.map(({ check, outcome, sentence }) => [marks[outcome], proofChecks[check], sentence])),
    end,
  ].join('\n');
}

/** What failed is in the exit code, too. @throws UserError `damagedCheckpoint` */
export function refuseUnproven({ folder, checks }: ProveReport): void {
  const failure = firstFailure(checks);
  if (failure) throw new UserError('damagedCheckpoint', `${folder} is not fit to be published: ${failure.sentence}`);
}
