// Every failure a person can act on: a code, and one sentence that says what was found and what to do.
// Anything else that is thrown is a defect of ours and keeps its stack.

export type ErrorCode =
  | 'usage' // a command line or recipe that makes no sense
  | 'notFound' // a file or folder that is not there
  | 'cannotRead' // a file or folder that the system does not give, though it may be there
  | 'unsupportedModel' // a real model that we cannot compute
  | 'damagedCheckpoint' // a folder whose files contradict themselves or each other
  | 'notFinite' // a loss, score or gradient that is NaN or infinite
  | 'badData' // text or ids that cannot be used
  | 'badChoice' // a drop set, method or count that does not fit the model
  | 'cannotFit' // a plan that needs more memory or disk than there is
  | 'overLimit' // something that others wrote and that takes more time, memory or bytes than it is given
  | 'cannotWrite' // an output that cannot be made
  | 'network' // a hub that cannot be reached, is out of order, or breaks off
  | 'noAccess' // what a hub shows only to those who accepted a licence, or have a token
  | 'device' // a provider that is missing or failed
  | 'outsideRoots' // a path that this connection may not name
  | 'badState' // a run that cannot do that now
  | 'superseded' // a question that a newer one replaced
  | 'otherBuild' // a client and a server that do not belong together
  | 'cancelled';

/** A sentence for the user. It crosses process borders as `{ code, message }`. */
export class UserError extends Error {
  override readonly name = 'UserError';
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(withoutMiddle(message));
  }
}

/** A sentence may name what strangers wrote, and that may be endless. */
const mostCharacters = 1500;

const withoutMiddle = (message: string): string =>
  message.length <= mostCharacters ? message : `${message.slice(0, 1200)} ... ${message.slice(-200)}`;

export const isUserError = (error: unknown): error is UserError => error instanceof UserError;

/** Thrown between two micro-batches after a cancel. Cancelling is not an error: callers turn it into exit 130. */
export const cancelled = () => new UserError('cancelled', 'Cancelled; nothing was written.');

/** The same for a study or a pipeline, of which finished steps stay. */
export const stepsEnded = (kind: 'study' | 'pipeline', out: string) =>
  new UserError(
    'cancelled',
    `Cancelled; the ${kind} in ${out} goes on after its last finished step when it is run again.`,
  );

/** The same for what is fetched, of which every byte stays. */
export const pullEnded = () =>
  new UserError('cancelled', 'Cancelled; what was fetched is kept, and another pull goes on from there.');

/** The same for what is published: a branch gets all of it at once, or nothing. */
export const publishEnded = () =>
  new UserError(
    'cancelled',
    'Cancelled; no branch was changed, files that were sent whole are kept by the hub, and publishing again goes on from there.',
  );
