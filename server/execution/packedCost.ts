// What packed rows cost, in floating-point operations: for plans, for progress, and to choose how to pack. Pure.
import type { ModelConfig } from '../model/config';
import type { ScoringWork } from '../recipes/evaluate/recipe';
import type { PrefixBatches, PackedBatch } from './packing';
import { stageRuns, type TrieNode } from './variantTrie';
import { blockGroup, groupSize } from './weightStore';

/**
 * Of one block and the head over a batch behind `nPast` tokens: 2 a weight and token, 4 H E for each token and key of its
 * row, whether it may see it or not.
 */
export function batchOperations(
  config: ModelConfig,
  { batch, tokens, nTargets }: PackedBatch,
  nPast: number,
): { block: number; head: number } {
  const nTokens = batch * tokens;
  return {
    block: 2 * groupSize(blockGroup(config, 0)) * nTokens + attentionOperations(config, nTokens, nPast + tokens),
    head: 2 * config.vocabularySize * config.width * nTargets,
  };
}

/** Of its hidden states on so many paths, and its mask. A state is computed beside those that others wait for. */
export const batchBytes = ({ width }: ModelConfig, { batch, tokens }: PackedBatch, nPast: number, nPaths: number) =>
  4 * batch * tokens * (width * (nPaths + 2) + nPast + tokens);

/** Every batch, with the slots of its past. */
export function* batchesOf({ prefix, batches }: PrefixBatches): Generator<{ batch: PackedBatch; nPast: number }> {
  let nPast = 0;
  for (const piece of prefix) {
    yield { batch: piece, nPast };
    nPast += piece.tokens;
  }
  for (const batch of batches) yield { batch, nPast };
}

/** How long a block takes over a batch, in operations of its layers: to choose how to pack. */
export function packingCost(config: ModelConfig, batch: number, tokens: number, nPast: number): number {
  const linear = 2 * groupSize(blockGroup(config, 0)) * batch * tokens;
  return linear + attentionFactor * attentionOperations(config, batch * tokens, nPast + tokens);
}

/** A product of attention's small matrices and its softmax take about so many times as long as one of a layer's. */
const attentionFactor = 3;

const attentionOperations = ({ nHeads, headWidth }: ModelConfig, nTokens: number, nKeys: number) =>
  4 * nHeads * headWidth * nTokens * nKeys;

/** All that the paths of a trie take together, and `base` alone. */
export function scoringWork(
  config: ModelConfig,
  bundles: readonly PrefixBatches[],
  trie: readonly TrieNode[],
  nPlainTokens: number,
  nRequests: number,
): ScoringWork {
  const all = bundles.flatMap((bundle) => [...batchesOf(bundle)]);
  const nHeads = all.filter(({ batch }) => batch.nTargets > 0).length;
  const each = operationsOf(config, bundles);
  const runs = ({ stages, paths }: Runs) => ({
    blockRuns: stages * all.length,
    headRuns: paths * nHeads,
    operations: stages * each.block + paths * each.head,
  });
  const base = sum(config.blocks.map(({ sublayers }, k) => stageRuns({ block: k, sublayers })));
  return {
    nRequests,
    nTokens: sum(all.map(({ batch }) => batch.positions.filter((position) => position >= 0).length)),
    nPaddedTokens: sum(all.map(({ batch }) => batch.batch * batch.tokens)),
    nPlainTokens,
    ...runs(runsOf(trie)),
    base: runs({ stages: base, paths: 1 }),
  };
}

/** Its operations alone. */
export function scoringOperations(
  config: ModelConfig,
  bundles: readonly PrefixBatches[],
  trie: readonly TrieNode[],
): number {
  const each = operationsOf(config, bundles);
  const { stages, paths } = runsOf(trie);
  return stages * each.block + paths * each.head;
}

/** Of one block and the head over all batches. */
function operationsOf(config: ModelConfig, bundles: readonly PrefixBatches[]): { block: number; head: number } {
  const all = bundles.flatMap((bundle) => [...batchesOf(bundle)]);
  const operations = all.map(({ batch, nPast }) => batchOperations(config, batch, nPast));
  return { block: sum(operations.map(({ block }) => block)), head: sum(operations.map(({ head }) => head)) };
}

/** How often every batch passes a block, and how often the head. */
interface Runs {
  readonly stages: number;
  readonly paths: number;
}

const runsOf = (trie: readonly TrieNode[]): Runs => ({
  stages: sum(trie.map(({ stage }) => stageRuns(stage))),
  paths: trie.filter(({ ends }) => ends.length > 0).length,
});

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);
