// A forward pass over many windows, block by block: for each block all micro-batches, then the next block. What others
// want to know on the way they put into the graphs as observers.
import { cancelled } from '../errors';
import type { Graph, Value } from '../graph/value';
import type { ModelConfig } from '../model/config';
import { pathWithout, type Path, type Stage } from '../model/path';
import { type BlockParts, blockParts } from '../model/block';
import type { Tensor } from '../runtime/tensor';
import type { AdapterUse } from '../model/lora';
import type { Adapters } from './adapters';
import { blockKey, blockProgram } from './blockProgram';
import { type HeadLoss, openHeadLoss } from './headLoss';
import { windowOperations } from './memoryPlan';
import { batchIds, embed, finalNormWeight, type MicroBatch, microBatches, type Model } from './model';
import { openTables, type Tables } from './positionTables';
import { blockGroup, headGroups, type Step, type Weights } from './weightStore';

/** What a pass may be asked to tell on its way. */
export interface Observer {
  /** Scores [S, B] computed inside a block's graph, S the number of scores. */
  readonly block?: {
    readonly name: string;
    graph(parts: BlockParts): Value;
    take(block: number, batch: MicroBatch, scores: Float32Array): void;
  };
  /** Called once for every block, while its weights are at hand. */
  weights?(block: number, weights: Weights): Promise<void>;
  /** The loss of every prediction of a micro-batch, [B, T-1]. */
  tokens?(tokenNats: Tensor, batch: MicroBatch): Promise<void>;
  /** Called last, with what `states` was told; true: the states belong to the observer from now on. */
  keep?(states: readonly Tensor[], batch: MicroBatch): Promise<boolean>;
  /**
   * All hidden states h[0..n] of a micro-batch, each [B*T, D]; they are given back afterwards. With the
   * final norm's weight [D]. Needs a plan that keeps them.
   */
  states?(states: readonly Tensor[], batch: MicroBatch, finalNorm: Tensor): Promise<void>;
}

export interface ForwardOptions {
  /** Default: through all blocks. */
  readonly path?: Path;
  readonly observer?: Observer;
  readonly adapters?: Adapters;
  readonly signal?: AbortSignal;
  /** Called after every run with the share of the work that is done, in [0, 1]. */
  onProgress?(fraction: number): void;
}

/** Mean next-token loss in nats of every window, in order. Throws UserError('cancelled') between two micro-batches. */
export async function forward(
  model: Model,
  windows: readonly Int32Array[],
  options: ForwardOptions = {},
): Promise<Float64Array> {
  const { config, plan } = model;
  const path = options.path ?? pathWithout(config);
  const losses = new Float64Array(windows.length);
  const progress = meter(config, path.length, windows, options);
  const tables = await openTables(model);
  const norm = await finalNormWeight(model);
  try {
    for (let first = 0; first < windows.length; first += plan.groupWindows) {
      const group = windows.slice(first, first + plan.groupWindows);
      const batches = microBatches(group, first, plan.microBatchWindows);
      await passGroup(model, windows, batches, path, {
        ...options,
        progress,
        tables,
        norm,
        losses,
        firstGroup: first === 0,
      });
    }
  } finally {
    norm.dispose();
    tables.dispose();
  }
  return losses;
}

/** Brings all weights in where they stay resident, so that timing starts at the first micro-batch. */
export const preload = ({ config, store, plan }: Model, path: Path = pathWithout(config)) =>
  store.preload([...path.map(({ block }) => blockGroup(config, block)), ...headGroups(config, plan.headSliceRows)]);

interface Pass extends ForwardOptions {
  readonly progress: ReturnType<typeof meter>;
  readonly tables: Tables;
  readonly norm: Tensor;
  readonly losses: Float64Array;
  readonly firstGroup: boolean;
}

/** One group of windows through the blocks and the head. */
async function passGroup(
  model: Model,
  windows: readonly Int32Array[],
  batches: readonly MicroBatch[],
  path: Path,
  pass: Pass,
) {
  const { config, device, plan } = model;
  const { observer, progress, losses } = pass;
  const states = await Promise.all(batches.map(async (batch) => [await embed(model, batchIds(windows, batch))]));
  const keep = observer?.states !== undefined || observer?.keep !== undefined;

  const blockStep = (stage: Stage): Step => ({
    group: blockGroup(config, stage.block),
    async visit(weights) {
      for (const [b, batch] of batches.entries()) {
        const held = states[b]!;
        const hiddenOut = await passBlock(model, stage, batch, held.at(-1)!, weights, pass);
        if (!keep) held.pop()!.dispose();
        held.push(hiddenOut);
        progress.block(batch);
      }
      if (pass.firstGroup) await observer?.weights?.(stage.block, weights);
    },
  });

  let heads: HeadLoss[] | undefined;
  const headSteps = headGroups(config, plan.headSliceRows).map(
    (group): Step => ({
      group,
      async visit(weights) {
        heads ??= await Promise.all(
          batches.map((batch, b) => openHeadLoss(model, windows, batch, states[b]!.at(-1)!, pass.norm)),
        );
        for (const [b, batch] of batches.entries()) {
          await heads[b]!.pass(weights.head!, group.parts[0]!.firstRow!);
          progress.head(batch, group.parts[0]!.shape[0]!);
        }
      },
    }),
  );

  try {
    await model.store.walk([...path.map(blockStep), ...headSteps]);
    for (const [b, batch] of batches.entries()) {
      const { lossNats, tokenNats } = await heads![b]!.finish();
      losses.set(await device.read(lossNats), batch.firstWindow);
      await observer?.tokens?.(tokenNats, batch);
      await observer?.states?.(states[b]!, batch, pass.norm);
      if (observer?.keep) states[b] = (await observer.keep(states[b]!, batch)) ? [] : states[b]!;
    }
  } finally {
    for (const head of heads ?? []) head.dispose();
    for (const held of states) for (const state of held) state.dispose();
  }
}

async function passBlock(
  model: Model,
  stage: Stage,
  batch: MicroBatch,
  hiddenIn: Tensor,
  weights: Weights,
  pass: Pass,
): Promise<Tensor> {
  const { config, device } = model;
  const scored = pass.observer?.block;
  const use: AdapterUse = { layers: pass.adapters?.layers(stage.block) ?? new Map(), dropout: false };
  const scoring = (score: NonNullable<typeof scored>) =>
    device.program(`block ${blockKey(model, stage, batch, use)} with ${score.name}`, (): Graph => {
      const parts = blockParts(config, stage, batch, { adapters: use });
      return { name: 'block', outputs: { hiddenOut: parts.hiddenOut, scores: score.graph(parts) } };
    });
  const program = await (scored ? scoring(scored) : blockProgram(model, stage, batch, use));
  const { hiddenOut, scores } = await device.run(program, {
    ...weights,
    ...pass.adapters?.tensors(stage.block),
    ...(await pass.tables.for(batch)),
    hidden: hiddenIn,
  });
  if (scored) {
    scored.take(stage.block, batch, await device.read(scores!));
    scores!.dispose();
  }
  return hiddenOut!;
}

/** Counts operations done against all there are, and stops the walk once its signal is aborted. */
function meter(
  config: ModelConfig,
  nBlocks: number,
  windows: readonly Int32Array[],
  { signal, onProgress }: ForwardOptions,
) {
  const each = windowOperations(config, windows[0]!.length);
  const all = windows.length * (nBlocks * each.block + each.head);
  let done = 0;
  const advance = (operations: number) => {
    done += operations;
    onProgress?.(Math.min(1, done / all));
    if (signal?.aborted) throw cancelled();
  };
  return {
    block: (batch: MicroBatch) => advance(batch.batch * each.block),
    head: (batch: MicroBatch, rows: number) => advance((batch.batch * each.head * rows) / config.vocabularySize),
  };
}
