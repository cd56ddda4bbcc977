// What came of the checks of a proof, which protocol/proofChecks.ts lists.
import { isUserError } from '../errors';
import type { ProofCheck } from '../recipes/prove/recipe';
import type { ProofCheckName } from '../protocol/proofChecks';

export const passed = (check: ProofCheckName, sentence: string): ProofCheck => ({ check, outcome: 'passed', sentence });
export const failed = (check: ProofCheckName, sentence: string): ProofCheck => ({ check, outcome: 'failed', sentence });
export const notChecked = (check: ProofCheckName, sentence: string): ProofCheck => ({
  check,
  outcome: 'notChecked',
  sentence,
});

/** The first failure of a proof; null: what was checked is as it should be, and the folder may be published. */
export const firstFailure = (checks: readonly ProofCheck[]): ProofCheck | null =>
  checks.find(({ outcome }) => outcome === 'failed') ?? null;

/** That its numbers come out as NaN or infinite is a failure of the folder. */
export async function guarded(check: ProofCheckName, work: () => Promise<ProofCheck>): Promise<ProofCheck> {
  try {
    return await work();
  } catch (error) {
    if (isUserError(error) && error.code === 'notFinite') return failed(check, error.message);
    throw error;
  }
}
