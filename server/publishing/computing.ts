// How whoever asks for a proof computes. Types only.
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { Model } from '../execution/model';
import type { Path } from '../model/path';

export interface Computing {
  readonly signal: AbortSignal;
  /** A model is held on a device for the time of `body`. */
  withModel<T>(checkpoint: Checkpoint, work: ComputedWork, body: (model: Model) => Promise<T>): Promise<T>;
}

export interface ComputedWork {
  readonly nSequences: number;
  readonly tokensPerSequence: number;
  readonly path?: Path;
}
