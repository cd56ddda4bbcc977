// What is measured of a model that is written by then. Whatever refuses it, the folder is complete, and its report says why
// the rest is missing.
import { isUserError } from '../errors';
import type { Run } from './recipeContext';

export type AfterWriting<T> = { readonly value: T } | { readonly reason: string };

/** What `measure` gives, or the sentence by which it was refused or ended; the latter is told as a warning, too. */
export async function afterWriting<T>(out: string, measure: () => Promise<T>, run: Run): Promise<AfterWriting<T>> {
  try {
    return { value: await measure() };
  } catch (error) {
    if (!isUserError(error)) throw error;
    const reason = error.code === 'cancelled' ? 'It was cancelled.' : error.message;
    run.emit({ kind: 'warning', text: `The model in ${out} is complete, but its loss was not measured: ${reason}` });
    return { reason };
  }
}
