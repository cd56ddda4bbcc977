// A forward pass over many sequences. What others want to know on the way they put into the graphs as observers.
import type { Graph, Value } from '../graph/value';
import type { BatchShape } from '../model/blockInputs';
import type { ModelConfig } from '../model/config';
import { type BlockParts, blockParts } from '../model/block';
import type { AdapterUse } from '../model/lora';
import { type Path, pathWithout, type Stage } from '../model/path';
import type { Program } from '../runtime/sessions';
import type { Tensor } from '../runtime/tensor';
import type { Adapters } from './adapters';
import { adapterArgument, blockProgram, shapeOf, stageArgument } from './blockProgram';
import { openExecution } from './execute';
import { type Losses, openHeadLoss } from './headLoss';
import { type MicroBatch, type Model, roundsOf } from './model';
import { refuseNotFinite } from './notFinite';
import { buildTrie } from './variantTrie';
import type { Control } from './visitor';
import { blockGroup, headGroups, type Weights } from './weightStore';

/** What a pass may be asked to tell on its way. */
export interface Observer {
  /** Scores [S, B] computed inside a block's graph, S the number of scores; the graph depends on `args` and nothing else. */
  readonly block?:
    | {
        graph(parts: BlockParts, args: readonly string[]): Value;
        readonly args: readonly string[];
        take(block: number, batch: MicroBatch, scores: Float32Array): void;
      }
    | undefined;
  /** Called once for every block, while its weights are at hand. */
  weights?(block: number, weights: Weights): Promise<void>;
  /** The loss of every prediction of a micro-batch, [B, T-1]. */
  tokens?(tokenNats: Tensor, batch: MicroBatch): Promise<void>;
  /**
   * All hidden states h[0..n] of a micro-batch, each [B*T, D]; those that nobody adopts are given back afterwards. With the
   * final norm's weight [D]. Needs a plan that keeps them.
   */
  states?(states: readonly Tensor[], batch: MicroBatch, finalNorm: Tensor): Promise<void>;
}

export interface ForwardOptions extends Control {
  /** Default: through all blocks. */
  readonly path?: Path;
  readonly observer?: Observer | undefined;
  readonly adapters?: Adapters;
}

/**
 * Mean next-token loss in nats of every sequence, in order. Throws UserError `cancelled` between two micro-batches, `notFinite`
 * where a loss is NaN or infinite.
 */
export async function forward(
  model: Model,
  sequences: readonly Int32Array[],
  { path = pathWithout(model.config), observer = {}, adapters, ...control }: ForwardOptions = {},
): Promise<Float64Array> {
  const losses = new Float64Array(sequences.length);
  const shown = new Set<number>();
  using execution = await openExecution(model);
  await execution.run<MicroBatch, Losses>(
    buildTrie([path]),
    roundsOf(sequences, model.plan),
    {
      async block({ model, node: { stage }, batch, feeds }) {
        const use: AdapterUse = { layers: adapters?.layers(stage.block) ?? new Map(), dropout: false };
        const program = await passProgram(model, stage, batch, use, observer.block);
        const { hiddenOut, scores } = await model.device.run(program, { ...feeds, ...adapters?.tensors(stage.block) });
        if (scores) observer.block!.take(stage.block, batch, await model.device.read(scores));
        return hiddenOut!;
      },
      async passed(block, weights) {
        if (!shown.has(block)) await observer.weights?.(block, weights);
        shown.add(block);
      },
      head: openHeadLoss,
      async take({ lossNats, tokenNats }, visit) {
        const { model, batch } = visit;
        const found = await model.device.read(lossNats);
        refuseNotFinite(found, 'loss', visit);
        losses.set(found, batch.firstSequence);
        await observer.tokens?.(tokenNats, batch);
      },
      ...(observer.states && { states: observer.states }),
    },
    control,
  );
  return losses;
}

function passProgram(
  model: Model,
  stage: Stage,
  batch: BatchShape,
  adapters: AdapterUse,
  scored: Observer['block'],
): Promise<Program> {
  if (!scored) return blockProgram(model, stage, batch, adapters);
  const { config, device } = model;
  const [of, use] = [stageArgument(config, stage), adapterArgument(adapters)];
  return device.program(scoredBlock, config, of, shapeOf(batch), use, scored.graph, scored.args);
}

function scoredBlock(
  config: ModelConfig,
  stage: Stage,
  batch: BatchShape,
  adapters: AdapterUse,
  score: (parts: BlockParts, args: readonly string[]) => Value,
  args: readonly string[],
): Graph {
  const parts = blockParts(config, stage, batch, { adapters });
  return { name: 'block', outputs: { hiddenOut: parts.hiddenOut, scores: score(parts, args) } };
}

/** Brings all weights in where they stay resident, so that timing starts at the first micro-batch. */
export const preload = ({ config, store, plan }: Model, path: Path = pathWithout(config)) =>
  store.preload([...path.map(({ block }) => blockGroup(config, block)), ...headGroups(config, plan.headSliceRows)]);
