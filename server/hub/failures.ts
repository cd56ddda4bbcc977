// What goes wrong on the way to the hub: a sentence, and whether it may be better in a moment.
import { setTimeout as sleep } from 'node:timers/promises';
import { isUserError, publishEnded, pullEnded, UserError } from '../errors';
import { type HubSettings, inWords } from './hubSettings';
import { type Subject, whatIsKept } from './refusalRow';

/** Another try may help, after so long at least: the hub has answered, or the connection was refused or broke off. */
interface Again {
  readonly of: 'answer' | 'connection';
  readonly afterMs: number;
}

export class HubFailure extends Error {
  constructor(
    readonly sentence: UserError,
    /** null: another try would be the same. */
    readonly again: Again | null = null,
  ) {
    super(sentence.message);
  }
}

/** Of a request and of a body that breaks off; what is no failure of the network stays what it is. */
export function networkFailure(error: unknown, { endpoint }: HubSettings, subject: Subject): unknown {
  if (error instanceof HubFailure || isUserError(error)) return error;
  const code = codeOf(error);
  if (code === null) return error;
  const host = inWords(endpoint);
  if (/CERT|SIGNATURE|SELF_SIGNED/.test(code))
    return new HubFailure(
      new UserError(
        'network',
        `${host} shows a certificate that is not trusted here (${code}); where a proxy reads along, name its certificate in NODE_EXTRA_CA_CERTS.`,
      ),
    );
  return new HubFailure(
    new UserError(
      'network',
      `${host} cannot be reached, or breaks off (${code}); look after the connection and run it again: ${whatIsKept(subject)}.`,
    ),
    { of: 'connection', afterMs: 0 },
  );
}

/** What a cancelled conversation with the hub leaves. */
export const endedBySignal = ({ publishing }: Pick<Subject, 'publishing'>): UserError =>
  publishing ? publishEnded() : pullEnded();

/** The system's or the library's name of it; null: it is none of the network. */
function codeOf(error: unknown): string | null {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return null;
}

export interface Patience {
  readonly signal: AbortSignal;
  /** Connections are tried again, too: where none was there yet, there is most likely no network, or a wrong address. */
  readonly reconnects: boolean;
  /** Waits between two tries. Default: the clock. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** See Subject. */
  readonly publishing?: Subject['publishing'];
  /** Told before a wait of some length. */
  readonly onWait?: (ms: number, why: UserError) => void;
}

/** Tells of each wait that has some length, in a sentence. */
export const tellingWaits =
  (warn: (text: string) => void): NonNullable<Patience['onWait']> =>
  (ms, why) =>
    warn(`${why.message} Trying again in ${Math.round(ms / 1000)} s.`);

const mostTries = 5;
const firstPauseMs = 1000;
/** Who is asked to wait for longer tells the person. */
const longestPauseMs = 120_000;

/**
 * The work, again as long as another try may help: five times, as huggingface_hub does, and the pauses double.
 * @param work is told how to say that it got further, from where five tries count anew
 */
export async function withPatience<T>(
  { signal, reconnects, publishing, pause = (ms) => sleep(ms, undefined, { signal }), onWait }: Patience,
  work: (gotFurther: () => void) => Promise<T>,
): Promise<T> {
  for (let failed = 0; ; ) {
    try {
      return await work(() => {
        failed = 0;
      });
    } catch (error) {
      if (!(error instanceof HubFailure)) throw error;
      const { sentence, again } = error;
      const waitMs = Math.max(again?.afterMs ?? 0, firstPauseMs * 2 ** failed);
      failed++;
      if (!again || (again.of === 'connection' && !reconnects)) throw sentence;
      if (failed === mostTries || waitMs > longestPauseMs) throw sentence;
      if (again.afterMs > 0) onWait?.(waitMs, sentence);
      await pause(waitMs, signal).catch((error) => {
        throw signal.aborted ? endedBySignal({ ...(publishing && { publishing }) }) : error;
      });
    }
  }
}
