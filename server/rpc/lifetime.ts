// When the server ends: on request, when its lock file is no longer its own, or when it has had neither a client nor an
// active run for a while.

export interface LifetimeWiring {
  readonly idleSeconds: number;
  /** Whether there is a client or an active run. */
  isInUse(): boolean;
  /** Says that this server lives; false: the lock file is not its own any more. */
  tendLock(): boolean;
  /** Ends everything. */
  end(): Promise<void>;
  log(text: string): void;
}

const tendMs = 5000;
/** The answer to a request to stop goes out first. */
const answerMs = 50;

export type Lifetime = ReturnType<typeof openLifetime>;

export function openLifetime({ idleSeconds, isInUse, tendLock, end, log }: LifetimeWiring) {
  let idleTimer: NodeJS.Timeout | null = null;
  let state: 'open' | 'leaving' | 'stopping' = 'open';
  let settle: () => void;
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const watching = setInterval(() => {
    if (!tendLock()) stop('the lock file is not ours any more: ending');
  }, tendMs);

  const stopIdleTimer = () => {
    if (idleTimer) clearTimeout(idleTimer);
    idleTimer = null;
  };
  function stop(why: string): void {
    if (state === 'stopping') return;
    state = 'stopping';
    log(why);
    stopIdleTimer();
    clearInterval(watching);
    void end().then(settle);
  }
  return {
    stop,
    /** Lets the answer to the request go out, and no new client in. */
    stopSoon(why: string): void {
      if (state === 'open') state = 'leaving';
      setTimeout(() => stop(why), answerMs);
    },
    /** A client would be disconnected in a moment. */
    isLeaving: () => state !== 'open',
    stopIdleTimer,
    /** To be called when a client has left or a run has ended. */
    considerIdle(): void {
      stopIdleTimer();
      if (state === 'stopping' || isInUse()) return;
      idleTimer = setTimeout(() => stop('nobody is here and nothing runs: ending'), idleSeconds * 1000);
    },
    ended,
  };
}
