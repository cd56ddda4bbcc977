// Losses of a model without this or that, on sequences whose hidden states are kept: one forward pass fills the cache, and
// every question after it costs only what lies behind its first change.
import { type Path, pathWithout } from '../model/path';
import type { MeasuredLoss } from '../protocol/reports';
import type { WorkCounts } from '../recipes/analyze/recipe';
import type { Observer } from '../execution/forward';
import type { Model, SequenceRange } from '../execution/model';
import { openStateCache, type StateCache } from '../execution/stateCache';
import { measurePaths, type VariantOptions } from '../execution/variants';
import { buildTrie, emptyPrefix, prefixKey } from '../execution/variantTrie';
import { openWorkMeter } from '../execution/workMeter';
import { measuredLoss } from './measuredLoss';

export interface Measuring extends Disposable {
  readonly model: Model;
  readonly sequences: readonly Int32Array[];
  readonly nSequences: number;
  /** To be passed to the forward pass that comes first. */
  readonly observer: Required<Pick<Observer, 'tokens' | 'states'>>;
  /** The loss on each path over all sequences. What was measured before is not measured again. */
  losses(paths: readonly Path[], options?: LossOptions): Promise<MeasuredLoss[]>;
  /** The losses of single predictions on a part of the sequences, path -> [sequences x (T - 1)]. */
  nats(paths: readonly Path[], range: SequenceRange, options?: LossOptions): Promise<Float32Array[]>;
  /** A loss from the predictions of the sequences from the first one on. */
  compare(nats: Float32Array): MeasuredLoss;
  /** Says that the loss of a path is known, from `nats`. */
  know(path: Path, loss: MeasuredLoss): void;
  known(path: Path): MeasuredLoss | undefined;
  readonly cache: StateCache;
  work(): WorkCounts;
}

export type LossOptions = Pick<VariantOptions, 'keeps' | 'signal' | 'onProgress'>;

/** Paths that are measured together at most: each has a hidden state of its own while it waits for the others. */
export const pathsAtOnce = 32;

/** @param cacheBytes the most to hold of hidden states in memory; those of the original go to disk beyond it. */
export function openMeasuring(model: Model, sequences: readonly Int32Array[], cacheBytes: number): Measuring {
  const { config, device } = model;
  const cache = openStateCache(device, cacheBytes);
  const meter = openWorkMeter();
  const nSequences = sequences.length;
  const nPredictions = sequences[0]!.length - 1;
  const original = new Float32Array(nSequences * nPredictions);
  const memory = new Map<string, MeasuredLoss>();
  const all = { first: 0, end: nSequences };
  const whole = buildTrie([pathWithout(config)]);
  meter.asked([pathWithout(config)], all);

  const nats = async (paths: readonly Path[], range: SequenceRange, options: LossOptions = {}) => {
    meter.asked(paths, range);
    return measurePaths(model, sequences, paths, { cache, meter, range, ...options });
  };
  const compare = (of: Float32Array) => measuredLoss(of, original.subarray(0, of.length), of.length / nPredictions);

  return {
    model,
    sequences,
    nSequences,
    cache,
    observer: {
      async tokens(tokenNats, { firstSequence }) {
        original.set(await device.read(tokenNats), firstSequence * nPredictions);
      },
      async states(states, batch) {
        // h[0] is made anew from the ids; h[k + 1] is the state after block k.
        for (const [k, node] of whole.entries()) {
          (await cache.keep(node.key, batch, states[k + 1]!, true)).release();
          meter.block(node, batch);
        }
        meter.head(whole.at(-1)!, batch);
      },
    },
    nats,
    compare,
    known: (path) => memory.get(pathKey(path)),
    know: (path, loss) => void memory.set(pathKey(path), loss),
    async losses(paths, { onProgress, ...options } = {}) {
      const missing = byPrefix(paths).filter(([key]) => !memory.has(key));
      for (let at = 0; at < missing.length; at += pathsAtOnce) {
        const some = missing.slice(at, at + pathsAtOnce);
        const done = (fraction: number) => onProgress?.((at + fraction * some.length) / missing.length);
        const found = await nats(
          some.map(([, path]) => path),
          all,
          { ...options, onProgress: done },
        );
        for (const [i, [key]] of some.entries()) memory.set(key, compare(found[i]!));
      }
      return paths.map((path) => memory.get(pathKey(path))!);
    },
    work: () => meter.counts(),
    [Symbol.dispose]: () => cache[Symbol.dispose](),
  };
}

/** Different paths with their keys: neighbours in this order have the longest beginnings in common. */
const byPrefix = (paths: readonly Path[]): (readonly [string, Path])[] =>
  [...new Map(paths.map((path) => [pathKey(path), path]))].sort(([a], [b]) => (a < b ? -1 : 1));

const pathKey = (path: Path): string => path.reduce(prefixKey, emptyPrefix);
