// The log-likelihoods of many requests on many paths through one model: requests share what they begin with (packing.ts),
// paths share the blocks they begin with (variantTrie.ts), and a token's logits are made only where one is asked for.
import { cancelled } from '../errors';
import { maskedAttention } from '../model/attention';
import { blockGraph, blockSignature } from '../model/block';
import type { Path } from '../model/path';
import type { Tensor } from '../runtime/tensor';
import { type HeadScores, openHeadScores, type TokenScores } from './headScores';
import { finalNormWeight, type Model } from './model';
import { batchOperations, scoringOperations } from './packedCost';
import { groupsOf } from './packedGroups';
import { openPackedInputs, type PackedInputs, type Past } from './packedInputs';
import type { Bundle, PackedBatch } from './packing';
import { openSeat, type Seat } from './seat';
import { buildTrie, stageRuns, type TrieNode } from './variantTrie';
import { blockGroup, headGroups, type Step, type Weights } from './weightStore';

/** By request. */
export interface Scores {
  /** Sum over the tokens of the continuation, in nats. */
  readonly logLikelihoods: Float64Array;
  /** One where every token of it was the likeliest. */
  readonly isGreedy: Uint8Array;
}

export interface ScoringOptions {
  /** Batches whose states and masks take no more than this go through the model together. */
  readonly groupBytes: number;
  readonly signal?: AbortSignal;
  /** Called after every run with the share of the work that is done, in [0, 1]. */
  onProgress?(fraction: number): void;
}

/**
 * Scores the requests that were packed into `bundles` on each path.
 * @param nRequests how many there are
 * @throws UserError cancelled between two runs
 */
export async function scoreRequests(
  model: Model,
  bundles: readonly Bundle[],
  nRequests: number,
  paths: readonly Path[],
  options: ScoringOptions,
): Promise<Scores[]> {
  const { config, device } = model;
  const scores = paths.map(() => ({
    logLikelihoods: new Float64Array(nRequests),
    isGreedy: new Uint8Array(nRequests).fill(1),
  }));
  const trie = buildTrie(paths);
  const groups = groupsOf(config, bundles, paths.length, options.groupBytes);
  const advance = progressOf(model, groups, trie, options);
  const norm = await finalNormWeight(model);
  const inputs = await openPackedInputs(device, config, nPositions(bundles));
  try {
    for (const group of groups) {
      await scoreGroup({ model, trie, norm, inputs, advance }, group, (node, { asks }, found) => {
        for (const path of node.ends) {
          const { logLikelihoods, isGreedy } = scores[path]!;
          for (const [i, request] of asks.requests.entries()) {
            logLikelihoods[request]! += found.logLikelihoods[i]!;
            isGreedy[request]! &= found.isGreedy[i]!;
          }
        }
      });
      inputs.forgetBatches();
    }
  } finally {
    inputs.dispose();
    norm.dispose();
  }
  return scores;
}

interface Run {
  readonly model: Model;
  readonly trie: readonly TrieNode[];
  readonly norm: Tensor;
  readonly inputs: PackedInputs;
  advance(operations: number): void;
}

type Take = (node: TrieNode, batch: PackedBatch, scores: TokenScores) => void;

async function scoreGroup(run: Run, group: readonly Bundle[], take: Take): Promise<void> {
  const { model, trie } = run;
  const { config, plan, store } = model;
  const seats = new Map<PackedBatch, Seat>();
  for (const { stem, batches } of group)
    for (const batch of [...stem, ...batches]) seats.set(batch, openSeat(model, trie, batch));
  const heads: { node: TrieNode; batch: PackedBatch; head: HeadScores }[] = [];

  const passNode = async (node: TrieNode, weights: Weights, { stem, batches }: Bundle) => {
    const pass = async (batch: PackedBatch, past: Lent, lends: boolean) => {
      const seat = seats.get(batch)!;
      const hiddenIn = await seat.state(node.parent);
      const { hiddenOut, keys, values } = await runBlock(run, node, weights, batch, hiddenIn, past, lends);
      seat.passed(node, hiddenOut);
      if (node.ends.length > 0 && batch.nTargets > 0) {
        const head = await openHeadScores(model, await seat.state(node), run.norm, batch.asks);
        heads.push({ node, batch, head });
        seat.finished(node);
      }
      return lend(past, batch, keys, values);
    };
    const told = (batch: PackedBatch, { positions }: Lent) =>
      run.advance(batchOperations(config, batch, positions.length).block * stageRuns(node.stage));
    let lent = nothingLent;
    try {
      for (const [i, piece] of stem.entries()) {
        const past = lent;
        lent = await pass(piece, past, i < stem.length - 1 || batches.length > 0);
        past.dispose();
        told(piece, past);
      }
      for (const batch of batches) {
        await pass(batch, lent, false);
        told(batch, lent);
      }
    } finally {
      lent.dispose();
    }
  };
  const blocks = [...new Set(trie.map(({ stage }) => stage.block))];
  const blockSteps = blocks.map(
    (block): Step => ({
      group: blockGroup(config, block),
      async visit(weights) {
        for (const node of trie.filter(({ stage }) => stage.block === block))
          for (const bundle of group) await passNode(node, weights, bundle);
      },
    }),
  );
  const headSteps = headGroups(config, plan.headSliceRows).map(
    (slice): Step => ({
      group: slice,
      async visit(weights) {
        const { firstRow, shape } = slice.parts[0]!;
        for (const { head, batch } of heads) {
          await head.pass(weights.head!, firstRow!);
          run.advance((batchOperations(config, batch, 0).head * shape[0]!) / config.vocabularySize);
        }
      },
    }),
  );
  try {
    await store.walk([...blockSteps, ...headSteps]);
    for (const { node, batch, head } of heads) take(node, batch, await head.finish());
  } finally {
    for (const { head } of heads) head.dispose();
    for (const seat of seats.values()) seat.dispose();
  }
}

/** A stem as far as it has been passed: keys and values [1, G, P, E], where the block has any. */
interface Lent {
  readonly positions: Past;
  readonly tensors: Readonly<Record<string, Tensor>>;
  dispose(): void;
}

const nothingLent: Lent = { positions: new Int32Array(), tensors: {}, dispose() {} };

const lend = (past: Lent, piece: PackedBatch, keys?: Tensor, values?: Tensor): Lent => ({
  positions: Int32Array.from([...past.positions, ...piece.positions]),
  tensors: keys && values ? { pastKeys: keys, pastValues: values } : {},
  dispose() {
    keys?.dispose();
    values?.dispose();
  },
});

async function runBlock(
  { model, inputs }: Run,
  { stage }: TrieNode,
  weights: Weights,
  batch: PackedBatch,
  hiddenIn: Tensor,
  past: Lent,
  lends: boolean,
): Promise<{ hiddenOut: Tensor; keys?: Tensor; values?: Tensor }> {
  const { config, device } = model;
  const { tables, tablePositions } = inputs;
  const shape = { batch: batch.batch, tokens: batch.tokens, nPast: past.positions.length, tablePositions };
  const key = `packed ${blockSignature(config, stage)} ${Object.values(shape)} ${lends}`;
  const program = await device.program(key, () => {
    const attention = maskedAttention(shape.nPast, shape.tablePositions);
    return blockGraph(config, stage, batch, { attention, returnKeyValues: lends });
  });
  const sight = await inputs.for(batch, past.positions, config.blocks[stage.block]!.slidingWindow);
  const made = await device.run(program, { ...weights, ...tables, ...sight, ...past.tensors, hidden: hiddenIn });
  return { ...made, hiddenOut: made.hiddenOut! };
}

/** The tables must reach as far as a row is long, too. */
const nPositions = (bundles: readonly Bundle[]): number =>
  bundles
    .flatMap(({ stem, batches }) => [...stem, ...batches])
    .reduce((most, { positions, tokens }) => positions.reduce((a, b) => Math.max(a, b + 1), Math.max(most, tokens)), 0);

/** Counts operations done against all there are, and stops the walk once its signal is aborted. */
function progressOf(
  { config }: Model,
  groups: readonly (readonly Bundle[])[],
  trie: readonly TrieNode[],
  { signal, onProgress }: ScoringOptions,
) {
  const all = groups.reduce((sum, group) => sum + scoringOperations(config, group, trie), 0);
  let done = 0;
  return (operations: number) => {
    done += operations;
    onProgress?.(Math.min(1, done / all));
    if (signal?.aborted) throw cancelled();
  };
}
