// The loss and its gradients: forward through all blocks and the head, and backward through the blocks. What a block's
// backward pass needs is either saved by its forward pass or computed again from the state that entered it.
import type { Graph } from '../graph/value';
import type { BatchShape } from '../model/blockInputs';
import {
  blockBackward,
  blockForwardAndBackward,
  type GradientTargets,
  hiddenInGradient,
  hiddenOutGradient,
} from '../model/blockGradient';
import type { ModelConfig } from '../model/config';
import type { AdapterUse } from '../model/lora';
import { type Path, pathWithout, type Stage } from '../model/path';
import type { Scope } from '../runtime/device';
import type { Program } from '../runtime/sessions';
import type { Tensor, Tensors } from '../runtime/tensor';
import type { Adapters } from './adapters';
import { adapterArgument, blockProgram, shapeOf, stageArgument } from './blockProgram';
import { openExecution } from './execute';
import { type LossAndGradient, openHeadGradient, type WeightedBatch } from './headLossGradient';
import type { Model } from './model';
import { openSegment, type Segment } from './segment';
import { buildTrie, type TrieNode } from './variantTrie';
import type { BlockVisit, Control, Visitor } from './visitor';
import type { Weights } from './weightStore';

export interface BackwardOptions extends Control {
  /** Default: through all blocks. */
  readonly path?: Path;
  readonly adapters?: Adapters;
  /** The inputs of a block's graph to differentiate with respect to: names of weights, or of adapter matrices. */
  wrt(block: number): readonly string[];
  /** Told the gradients of one batch, where there are any, by the names of model/blockGradient.ts; given back unless adopted. */
  take(block: number, gradients: Tensors, weights: Weights): Promise<void>;
  /** Dropout masks of a block and batch, by input name, made in `scope`; the same each time it is asked. */
  masks?(block: number, batch: number, scope: Scope): Promise<Tensors>;
  readonly activations: 'keep' | 'recompute';
  /**
   * So many of the last blocks are one graph with the head (segment.ts), where weights are resident and nothing is dropped.
   * Never the first block; default: none.
   */
  readonly segmentBlocks?: number;
}

/**
 * The sum over batches of weights times nats. All batches pass a block before the next one does, so that weights that are
 * streamed are read twice. Only paths that lead to a target are differentiated. Throws UserError `cancelled` between two
 * runs, `notFinite` where a loss is NaN or infinite.
 */
export async function lossAndGradients(
  model: Model,
  batches: readonly WeightedBatch[],
  options: BackwardOptions,
): Promise<number> {
  const path = options.path ?? pathWithout(model.config);
  const targets = targetsOf(path, options);
  const nOutside = path.length - (options.segmentBlocks ?? 0);
  const nodes = buildTrie([path.slice(0, nOutside)]);
  const segment = segmentOf(path, targets, nOutside, options);
  using scope = model.device.scope();
  using execution = await openExecution(model);
  const derivatives = new Map(nodes.flatMap((node, i) => (targets[i] ? [[node, targets[i]] as const] : [])));
  const visitor = backwardVisitor(scope, { derivatives, segment }, batches, options);
  await execution.run(nodes, [batches], visitor, options);
  return visitor.loss();
}

/** What is wanted of the blocks before the segment that the backward pass visits, and the segment, if there is one. */
interface Wanted {
  readonly derivatives: ReadonlyMap<TrieNode, GradientTargets>;
  readonly segment: Segment | null;
}

function backwardVisitor(
  scope: Scope,
  { derivatives, segment }: Wanted,
  batches: readonly WeightedBatch[],
  options: BackwardOptions,
): Visitor<WeightedBatch, LossAndGradient> & { loss(): number } {
  const program = blockPrograms(derivatives, options);
  /** The gradient that goes backward, and what the forward pass has saved for it, by block. */
  const gradients = new Map<WeightedBatch, Tensor>();
  const savedActivations = new Map(batches.map((batch) => [batch, new Map<TrieNode, Tensors>()]));
  let loss = 0;

  /** A run with the dropout masks of its place, which are made for it. */
  const run = async ({ model, node, batch, feeds }: BlockVisit<WeightedBatch>, way: Way, more: Tensors = {}) => {
    const { block } = node.stage;
    const masks = await options.masks?.(block, batches.indexOf(batch), model.device);
    const all = { ...feeds, ...options.adapters?.tensors(block), ...masks, ...more };
    return model.device.run(await program(model, node, batch, way), all);
  };
  return {
    loss: () => loss,
    async block(visit) {
      const { hiddenOut, ...saved } = await run(visit, 'forward');
      scope.adopt(...Object.values(saved));
      savedActivations.get(visit.batch)!.set(visit.node, saved);
      return hiddenOut!;
    },
    head: (visit) => (segment ? openSegment(segment, visit) : openHeadGradient(visit)),
    async take(found, { batch }) {
      loss += found.loss;
      if (!found.gradient) return;
      scope.adopt(found.gradient);
      gradients.set(batch, found.gradient);
    },
    backward: {
      passes: (node) => derivatives.has(node),
      async block(visit) {
        const { node, batch, weights } = visit;
        const [gradient, saved] = [gradients.get(batch)!, savedActivations.get(batch)!.get(node)!];
        const found = await run(visit, 'backward', { ...saved, [hiddenOutGradient]: gradient });
        scope.release(gradient, ...Object.values(saved));
        const { [hiddenInGradient]: next, ...rest } = found;
        if (next) {
          scope.adopt(next);
          gradients.set(batch, next);
        }
        if (derivatives.get(node)!.inputs.length > 0) await options.take(node.stage.block, rest, weights);
      },
    },
  };
}

type Way = 'forward' | 'backward';

/** What is wanted of the stages that the backward pass visits: those with a target, and those behind one; null of others. */
function targetsOf(path: Path, { wrt }: BackwardOptions): (GradientTargets | null)[] {
  const inputs = path.map(({ block }) => wrt(block));
  const first = inputs.findIndex((names) => names.length > 0);
  if (first < 0) throw new Error('there is nothing to differentiate with respect to');
  return inputs.map((names, i) => (i < first ? null : { inputs: names, hiddenIn: i > first }));
}

/** The blocks of a path from `first` on; null: there are none. */
function segmentOf(
  path: Path,
  targets: readonly (GradientTargets | null)[],
  first: number,
  { adapters, masks, take }: BackwardOptions,
): Segment | null {
  const nodes = buildTrie([path]).slice(first);
  if (nodes.length === 0) return null;
  if (masks || first < 1) throw new Error('a segment has no dropout, and does not begin with the first block');
  const blocks = nodes.map((node, i) => ({
    node,
    adapters: adapterUse(node, adapters, masks),
    inputs: targets[first + i]?.inputs ?? [],
  }));
  const matrices = (block: number) => adapters?.tensors(block) ?? {};
  return { blocks, hiddenIn: targets[first]?.hiddenIn ?? false, matrices, take };
}

const adapterUse = (
  { stage }: TrieNode,
  adapters: BackwardOptions['adapters'],
  masks: BackwardOptions['masks'],
): AdapterUse => ({ layers: adapters?.layers(stage.block) ?? new Map(), dropout: masks !== undefined });

/** The program of a block, forward or backward. */
function blockPrograms(
  derivatives: ReadonlyMap<TrieNode, GradientTargets>,
  { adapters, masks, activations }: BackwardOptions,
): (model: Model, node: TrieNode, batch: BatchShape, way: Way) => Promise<Program> {
  const saves = activations === 'keep';
  return (model, node, batch, way) => {
    const { config, device } = model;
    const use = adapterUse(node, adapters, masks);
    const wanted = derivatives.get(node);
    if (way === 'forward' && !(saves && wanted)) return blockProgram(model, node.stage, batch, use);
    const build = !saves ? blockBackward : way === 'forward' ? savingForward : savedBackward;
    const stage = stageArgument(config, node.stage);
    return device.program(build, config, stage, shapeOf(batch), adapterArgument(use), wanted!);
  };
}

type BlockGraph = (
  config: ModelConfig,
  stage: Stage,
  batch: BatchShape,
  adapters: AdapterUse,
  wanted: GradientTargets,
) => Graph;

/** The two graphs of model/blockGradient.ts between which activations are saved. */
const savingForward: BlockGraph = (...of) => blockForwardAndBackward(...of).forward;
const savedBackward: BlockGraph = (...of) => blockForwardAndBackward(...of).backward;
