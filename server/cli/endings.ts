// Signals that end a command, all in the same orderly way. The exit code is 128 and the signal's number, as shells have it.
import { constants } from 'node:os';
import { endingSignals } from '../shared/endingSignals';

/** The first one that came. */
let endedBy: (typeof endingSignals)[number] | null = null;

/** Calls `act` whenever one comes, until the function that it returns is called. */
export function onEnding(act: () => void): () => void {
  const listening = endingSignals.map((signal) => {
    const listener = () => {
      endedBy ??= signal;
      act();
    };
    process.on(signal, listener);
    return () => void process.off(signal, listener);
  });
  return () => {
    for (const unlisten of listening) unlisten();
  };
}

export const endingCode = (): number =>
  128 + (endedBy === null ? constants.signals.SIGINT : constants.signals[endedBy]);
