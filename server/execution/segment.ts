// The last blocks of a path together with the head, as the head of the path before them: one run gives the loss and all
// gradients of these blocks, and what their forward pass keeps for the backward pass never leaves it.
import { gradientOf, hiddenInGradient } from '../model/blockGradient';
import type { AdapterUse } from '../model/lora';
import { ofBlock, ofSlice, type SegmentBlock, segmentGraph } from '../model/segment';
import type { Tensors } from '../runtime/tensor';
import { adapterArgument, shapeOf, stageArgument } from './blockProgram';
import { type LossAndGradient, objectiveFeeds, type WeightedBatch } from './headLossGradient';
import type { Model } from './model';
import { refuseNotFinite } from './notFinite';
import { openTables } from './positionTables';
import type { TrieNode } from './variantTrie';
import type { HeadPass, HeadSlice, HeadVisit } from './visitor';
import { blockGroup, type Weights } from './weightStore';

export interface Segment {
  /** In the order of the path, with what is wanted of each. */
  readonly blocks: readonly {
    readonly node: TrieNode;
    readonly adapters: AdapterUse;
    readonly inputs: readonly string[];
  }[];
  /** Also the gradient with respect to the state that enters the first of them. */
  readonly hiddenIn: boolean;
  /** The matrices of the adapters of a block, by the names of model/lora.ts. */
  matrices(block: number): Tensors;
  /** Told the gradients of one batch, from the last block on. */
  take(block: number, gradients: Tensors, weights: Weights): Promise<void>;
}

/** Takes the hidden state over. The weights of all blocks have to be resident. A loss that is not finite is refused. */
export async function openSegment(
  { blocks, hiddenIn, matrices, take }: Segment,
  visit: HeadVisit<WeightedBatch>,
): Promise<HeadPass<LossAndGradient>> {
  const { model, batch, hidden, norm } = visit;
  const { config, device } = model;
  const slices: HeadSlice[] = [];
  device.adopt(hidden);
  return {
    async pass(slice) {
      slices.push(slice);
    },
    async finish() {
      const graphBlocks = blocks.map(
        ({ node, adapters: use, inputs }): SegmentBlock => ({
          stage: stageArgument(config, node.stage),
          adapters: adapterArgument(use),
          inputs,
        }),
      );
      const { expected } = batch;
      const teacher = expected ? { topK: expected.topK, temperature: expected.temperature } : null;
      const head = { slices: slices.map(({ nRows }) => nRows), teacher };
      const program = await device.program(segmentGraph, config, shapeOf(batch), graphBlocks, head, hiddenIn);
      const weights = await weightsOf(model, blocks);
      const found = await device.run(program, {
        hidden,
        norm,
        ...(await openTables(model).for(batch)),
        ...(await objectiveFeeds(model, batch)),
        ...together(slices.map((slice, s) => renamed(slice.weights, (name) => ofSlice(s, name)))),
        ...together(weights.map((each, i) => renamed(each, (name) => ofBlock(i, name)))),
        ...together(blocks.map(({ node }, i) => renamed(matrices(node.stage.block), (name) => ofBlock(i, name)))),
      });
      const value = await device.read(found.loss!);
      refuseNotFinite(value, 'loss', { node: blocks.at(-1)!.node, batch });
      for (const [i, { node, inputs }] of [...blocks.entries()].reverse()) {
        if (inputs.length === 0) continue;
        const gradients = inputs.map((name) => [gradientOf(name), found[gradientOf(ofBlock(i, name))]!]);
        await take(node.stage.block, Object.fromEntries(gradients), weights[i]!);
      }
      return { loss: value[0]!, gradient: found[hiddenInGradient] ?? null };
    },
  };
}

/** Of blocks that are resident. */
async function weightsOf({ config, store }: Model, blocks: Segment['blocks']): Promise<Weights[]> {
  const found: Weights[] = [];
  const steps = blocks.map(({ node }) => ({
    group: blockGroup(config, node.stage.block),
    visit: async (weights: Weights) => void found.push(weights),
  }));
  await store.run(steps);
  return found;
}

const renamed = (tensors: Tensors, as: (name: string) => string): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [as(name), tensor]));

const together = (all: readonly Tensors[]): Tensors => Object.assign({}, ...all);
