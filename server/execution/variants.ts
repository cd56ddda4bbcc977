// The losses of many paths through one model: what they share at their beginning is computed once, and what is known from
// before comes from a cache.
import type { Path } from '../model/path';
import { openExecution } from './execute';
import { type Losses, openHeadLoss } from './headLoss';
import { type MicroBatch, type Model, roundsOf, type SequenceRange } from './model';
import type { StateCache } from './stateCache';
import { buildTrie, type TrieNode } from './variantTrie';
import type { Control, Visitor } from './visitor';
import type { WorkMeter } from './workMeter';

export interface VariantOptions extends Control {
  /** Default: all sequences. */
  readonly range?: SequenceRange;
  readonly cache?: StateCache;
  /** Which states the cache is to keep; `pinned` ones it never forgets by itself. Default: none. */
  readonly keeps?: (node: TrieNode) => false | 'spare' | 'pinned';
  readonly meter?: WorkMeter;
}

/**
 * The loss in nats of every prediction on each path: path -> [sequences of the range x (T - 1)]. Throws
 * UserError('cancelled') between two runs.
 */
export async function measurePaths(
  model: Model,
  sequences: readonly Int32Array[],
  paths: readonly Path[],
  { range = { first: 0, end: sequences.length }, cache, keeps, meter, ...control }: VariantOptions = {},
): Promise<Float32Array[]> {
  const nPredictions = sequences[0]!.length - 1;
  const nats = paths.map(() => new Float32Array((range.end - range.first) * nPredictions));
  const visitor: Visitor<MicroBatch, Losses> = {
    known: cache,
    async keep(node, batch, state) {
      meter?.block(node, batch);
      const kept = keeps?.(node) ?? false;
      return cache && kept ? cache.keep(node.key, batch, state, kept === 'pinned') : null;
    },
    head(visit) {
      meter?.head(visit.node, visit.batch);
      return openHeadLoss(visit);
    },
    async take({ tokenNats }, { model, node, batch }) {
      const found = await model.device.read(tokenNats);
      for (const path of node.ends) nats[path]!.set(found, (batch.firstSequence - range.first) * nPredictions);
    },
  };
  using execution = await openExecution(model);
  await execution.run(buildTrie(paths), roundsOf(sequences, model.plan, range), visitor, control);
  return nats;
}
