// Pausing, going on, and stopping a run between two of its steps.
import { cancelled } from '../../errors';
import type { Run } from '../recipeContext';

export interface Control {
  /** Waits while the run is paused; true: it is to stop now. Throws UserError('cancelled'). */
  stops(): Promise<boolean>;
}

export function openControl({ signal, emit, onControl }: Run): Control {
  let stopping = false;
  let paused = false;
  let wake = () => {};
  onControl?.((action) => {
    if (action === 'stopAndSave') stopping = true;
    paused = action === 'pause';
    if (!paused) wake();
  });
  signal.addEventListener('abort', () => wake());
  return {
    async stops() {
      // Lets messages in: a run of the device keeps them waiting.
      await new Promise((resolve) => setImmediate(resolve));
      if (paused && !signal.aborted) {
        emit({ kind: 'paused', paused: true });
        while (paused && !signal.aborted) await new Promise<void>((resolve) => void (wake = resolve));
        emit({ kind: 'paused', paused: false });
      }
      if (signal.aborted) throw cancelled();
      return stopping;
    },
  };
}
