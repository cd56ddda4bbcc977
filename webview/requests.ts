// What came of the requests that buttons stand for, as pages keep it: whether one goes on, why the newest one failed, and
// which file was written last.

export interface RequestState {
  /** A request goes on during which no other may be begun. */
  readonly busy: boolean;
  readonly failure: string | null;
  /** The file that was written last. */
  readonly written: string | null;
}

export const noRequest: RequestState = { busy: false, failure: null, written: null };

export type RequestAction =
  /** `kind`: whether other buttons wait meanwhile, and whether what was written before is forgotten. */
  | { type: 'requested'; kind: 'plain' | 'busy' | 'writing' }
  | { type: 'succeeded' }
  | { type: 'written'; file: string | null }
  | { type: 'failed'; failure: string }
  /** Of a request that nobody waits for. */
  | { type: 'failedQuietly'; failure: string };

export function afterRequest<State extends RequestState>(state: State, action: RequestAction): State {
  switch (action.type) {
    case 'requested': {
      const busy = action.kind === 'busy' || state.busy;
      return { ...state, busy, failure: null, written: action.kind === 'writing' ? null : state.written };
    }
    case 'succeeded':
      return { ...state, busy: false };
    case 'written':
      return { ...state, busy: false, written: action.file };
    case 'failed':
      return { ...state, busy: false, failure: action.failure };
    case 'failedQuietly':
      return { ...state, failure: action.failure };
  }
}

export interface Requests {
  /** A request whose answer says nothing more than that it was done. */
  send(work: Promise<unknown>, kind?: 'plain' | 'busy'): void;
  /** A request that writes a file; null where the person chose none. */
  write(work: Promise<{ file: string } | null>): void;
  /** A request that nobody waits for: only its failure is shown. */
  sendQuietly(work: Promise<unknown>): void;
}

export function requestsOf(dispatch: (action: RequestAction) => void): Requests {
  const failed = (error: unknown) => dispatch({ type: 'failed', failure: sentenceOf(error) });
  return {
    send(work, kind = 'plain') {
      dispatch({ type: 'requested', kind });
      work.then(() => dispatch({ type: 'succeeded' }), failed);
    },
    write(work) {
      dispatch({ type: 'requested', kind: 'writing' });
      work.then((result) => dispatch({ type: 'written', file: result?.file ?? null }), failed);
    },
    sendQuietly: (work) => void work.catch((error) => dispatch({ type: 'failedQuietly', failure: sentenceOf(error) })),
  };
}

/** The sentence of a failed request. */
export const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
