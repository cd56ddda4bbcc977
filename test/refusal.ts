// What a person is told.
import { isUserError } from '../server/errors';

/** Code and sentence of the UserError that `f` throws, or `accepted`; anything else it throws is a defect and goes on. */
export const refusal = (f: () => unknown) => {
  try {
    f();
  } catch (error) {
    if (isUserError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

/** The same of a promise. */
export const refusalOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'accepted',
    (error: unknown) => {
      if (isUserError(error)) return `${error.code}: ${error.message}`;
      throw error;
    },
  );
