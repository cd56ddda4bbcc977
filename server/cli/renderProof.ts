// A proof as text for a terminal.
import { proofChecks, type ProofCheck, type ProveReport } from '../recipes/prove/recipe';
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
