// How much of the model was computed for some measurement, and how much of it could not have been spared.
import type { Path } from '../model/path';
import type { WorkCounts } from '../recipes/analyze/recipe';
import type { MicroBatch, SequenceRange } from './model';
import { buildTrie, stageRuns, type TrieNode } from './variantTrie';

export interface WorkMeter {
  block(node: TrieNode, batch: MicroBatch): void;
  head(node: TrieNode, batch: MicroBatch): void;
  /** Says which losses were asked for; `minimum` and `plain` follow from it. */
  asked(paths: readonly Path[], range: SequenceRange): void;
  counts(): WorkCounts;
}

export function openWorkMeter(): WorkMeter {
  const spent = { blockRuns: 0, headRuns: 0 };
  const plain = { blockRuns: 0, headRuns: 0 };
  // Distinct states and losses, by sequence.
  const states = new Map<number, Map<string, number>>();
  const losses = new Map<number, Set<string>>();
  const of = <T>(map: Map<number, T>, sequence: number, fresh: T): T => {
    const known = map.get(sequence) ?? fresh;
    map.set(sequence, known);
    return known;
  };
  return {
    block: ({ stage }, { batch }) => void (spent.blockRuns += batch * stageRuns(stage)),
    head: (_, { batch }) => void (spent.headRuns += batch),
    asked(paths, { first, end }) {
      const trie = buildTrie(paths);
      for (let sequence = first; sequence < end; sequence++) {
        const seen = of(states, sequence, new Map<string, number>());
        const ended = of(losses, sequence, new Set<string>());
        for (const { key, stage, ends } of trie) {
          seen.set(key, stageRuns(stage));
          if (ends.length > 0) ended.add(key);
        }
      }
      plain.headRuns += paths.length * (end - first);
      for (const path of paths) for (const stage of path) plain.blockRuns += stageRuns(stage) * (end - first);
    },
    counts() {
      let blockRuns = 0;
      let headRuns = 0;
      for (const seen of states.values()) for (const runs of seen.values()) blockRuns += runs;
      for (const ended of losses.values()) headRuns += ended.size;
      return { ...spent, minimum: { blockRuns, headRuns }, plain: { ...plain } };
    },
  };
}
