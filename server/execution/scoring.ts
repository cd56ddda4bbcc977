// The log-likelihoods of many requests on many paths through one model: requests share their prefixes (packing.ts), paths
// share the blocks they begin with (variantTrie.ts), and a token's logits are made only where one is asked for.
import type { Graph } from '../graph/value';
import { maskedAttention } from '../model/attention';
import { blockGraph } from '../model/block';
import type { BatchShape } from '../model/blockInputs';
import type { ModelConfig } from '../model/config';
import type { Path, Stage } from '../model/path';
import type { Tensors } from '../runtime/tensor';
import type { UserError } from '../errors';
import { firstNotFinite } from '../shared/finite';
import { shapeOf, stageArgument } from './blockProgram';
import { openExecution } from './execute';
import { openHeadScores, type TokenScores } from './headScores';
import type { Model } from './model';
import { explanation, NotFiniteResult } from './notFinite';
import { batchOperations } from './packedCost';
import { groupsOf } from './packedGroups';
import { openPackedInputs, type PackedInputs } from './packedInputs';
import type { PrefixBatches, PackedBatch } from './packing';
import { buildTrie } from './variantTrie';
import type { BlockVisit, Control, Visitor } from './visitor';

/** By request. */
export interface Scores {
  /** Sum over the tokens of the continuation, in nats. */
  readonly logLikelihoods: Float64Array;
  /** One where every token of it was the likeliest. */
  readonly isGreedy: Uint8Array;
}

export interface ScoringOptions extends Control {
  /** Batches whose states and masks take no more than this go through the model together. */
  readonly groupBytes: number;
}

/** Of a path with a log-likelihood that is NaN or infinite: `notFinite`, which says where it comes from. */
export type PathScores = Scores | UserError;

/**
 * Scores the requests that were packed into `prefixBatches` on each path.
 * @param nRequests how many there are
 * @throws UserError `cancelled` between two runs
 */
export async function scoreRequests(
  model: Model,
  prefixBatches: readonly PrefixBatches[],
  nRequests: number,
  paths: readonly Path[],
  { groupBytes, ...control }: ScoringOptions,
): Promise<PathScores[]> {
  const scores = paths.map(() => ({
    logLikelihoods: new Float64Array(nRequests),
    isGreedy: new Uint8Array(nRequests).fill(1),
  }));
  const lost = new Map<number, NotFiniteResult>();
  const rounds = groupsOf(model.config, prefixBatches, paths.length, groupBytes).map((group) => group.flatMap(inOrder));
  using scope = model.device.scope();
  const inputs = await openPackedInputs(scope, model.config, nPositions(prefixBatches));
  using execution = await openExecution(model);
  await execution.run(buildTrie(paths), rounds, { ...packedVisitor(model, inputs), ...taking(scores, lost) }, control);
  const ofPaths: PathScores[] = [...scores];
  for (const [path, result] of lost) ofPaths[path] = await explanation(model, result);
  return ofPaths;
}

/** A packed batch with its place among those of its prefix. */
export interface PlacedBatch extends PackedBatch {
  /** Positions of the tokens before it, [P]; -1: padding. */
  readonly past: Int32Array;
  /** Its keys and values are the past of the next batch. */
  readonly returnsKeyValues: boolean;
  /** The last one that has this past. */
  readonly endsPast: boolean;
}

/** The pieces of the prefix, each behind those before it, and the batches that continue it. */
function inOrder({ prefix, batches }: PrefixBatches): PlacedBatch[] {
  let past = new Int32Array();
  const pieces = prefix.map((piece, i) => {
    const placed = { ...piece, past, returnsKeyValues: i < prefix.length - 1 || batches.length > 0, endsPast: true };
    past = Int32Array.from([...past, ...piece.positions]);
    return placed;
  });
  const continuing = batches.map((batch, i) => ({
    ...batch,
    past,
    returnsKeyValues: false,
    endsPast: i === batches.length - 1,
  }));
  return [...pieces, ...continuing];
}

/** How packed batches go through blocks and head. */
function packedVisitor({ config }: Model, inputs: PackedInputs): Visitor<PlacedBatch, TokenScores> {
  let round: Model;
  /** pastKeys and pastValues [1, G, P, E] of the batches at hand, where the block has attention. */
  let pastKeyValues: Tensors = {};
  return {
    async begin(model) {
      round = model;
      inputs.beginRound(model.device);
    },
    inputs: (batch, { block }) => inputs.for(batch, config.blocks[block]!.slidingWindow),
    async block(visit) {
      const { hiddenOut, keys, values } = await runPacked(visit, inputs.tablePositions, pastKeyValues);
      if (visit.batch.endsPast) {
        round.device.release(...Object.values(pastKeyValues));
        pastKeyValues = {};
      }
      if (visit.batch.returnsKeyValues && keys && values) {
        round.device.adopt(keys, values);
        pastKeyValues = { pastKeys: keys, pastValues: values };
      }
      return hiddenOut!;
    },
    hasHead: ({ nTargets }) => nTargets > 0,
    head: (visit) => openHeadScores(visit, visit.batch.scoredTokens),
    operations: (batch) => batchOperations(config, batch, batch.past.length),
  };
}

async function runPacked(
  { model, node, batch, feeds }: BlockVisit<PlacedBatch>,
  tablePositions: number,
  pastKeyValues: Tensors,
): Promise<Tensors> {
  const { config, device } = model;
  const shape = { ...shapeOf(batch), nPast: batch.past.length, tablePositions };
  const stage = stageArgument(config, node.stage);
  const program = await device.program(packedBlock, config, stage, shape, batch.returnsKeyValues);
  return device.run(program, { ...feeds, ...pastKeyValues });
}

const packedBlock = (config: ModelConfig, stage: Stage, shape: PackedShape, returnKeyValues: boolean): Graph =>
  blockGraph(config, stage, shape, {
    attention: maskedAttention(shape.nPast, shape.tablePositions),
    returnKeyValues,
  });

interface PackedShape extends BatchShape {
  readonly nPast: number;
  readonly tablePositions: number;
}

/** What becomes of the scores of tokens: sums by request. @param lost gets the first result of a path that is not finite */
const taking = (
  scores: readonly Scores[],
  lost: Map<number, NotFiniteResult>,
): Pick<Visitor<PlacedBatch, TokenScores>, 'take'> => ({
  async take(found, { node, batch }) {
    const isLost = firstNotFinite(found.logLikelihoods) >= 0;
    for (const path of node.ends) {
      if (isLost && !lost.has(path)) lost.set(path, new NotFiniteResult('log-likelihood', { node, batch }));
      const { logLikelihoods, isGreedy } = scores[path]!;
      for (const [i, request] of batch.scoredTokens.requests.entries()) {
        logLikelihoods[request]! += found.logLikelihoods[i]!;
        isGreedy[request]! &= found.isGreedy[i]!;
      }
    }
  },
});

/** The tables must reach as far as a row is long, too. */
const nPositions = (prefixBatches: readonly PrefixBatches[]): number =>
  prefixBatches
    .flatMap(({ prefix, batches }) => [...prefix, ...batches])
    .reduce((most, { positions, tokens }) => positions.reduce((a, b) => Math.max(a, b + 1), Math.max(most, tokens)), 0);
