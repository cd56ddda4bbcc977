// A pass there and back, block by block: up through all blocks, over the head, and down again with the gradient. What each
// block needs on the way down is either kept on the way up or computed again from the state that entered it.
import { cancelled } from '../errors';
import {
  blockBackward,
  type GradientTargets,
  blockForwardAndBackward,
  hiddenInGradient,
  hiddenOutGradient,
} from '../model/blockGradient';
import type { AdapterUse } from '../model/lora';
import { type Path, pathWithout, type Stage } from '../model/path';
import type { Program } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import type { Adapters } from './adapters';
import { blockKey, blockProgram } from './blockProgram';
import { type HeadGradient, openHeadGradient, type WeightedBatch } from './headGradient';
import { embed, finalNormWeight, type Model } from './model';
import { openTables, type Tables } from './positionTables';
import { blockGroup, headGroups, type Step, type Weights } from './weightStore';

export interface BackwardOptions {
  /** Default: through all blocks. */
  readonly path?: Path;
  readonly adapters?: Adapters;
  /** The inputs of a block's graph to derive by: names of weights, or of adapter matrices. */
  derive(block: number): readonly string[];
  /** Told the gradients of one batch, where there are any, by the names of model/blockGradient.ts; they belong to the taker. */
  take(block: number, gradients: Readonly<Record<string, Tensor>>, weights: Weights): Promise<void>;
  /** Dropout masks of a block and batch, by input name; the same each time it is asked. */
  masks?(block: number, batch: number): Promise<Record<string, Tensor>>;
  readonly activations: 'keep' | 'recompute';
  readonly signal?: AbortSignal;
  /** Called after every run with the share of the work that is done, in [0, 1]. */
  onProgress?(fraction: number): void;
}

/**
 * The sum over batches of weights times nats. All batches pass a block before the next one does, so that weights that are
 * streamed are read twice. Throws UserError('cancelled') between two runs.
 */
export async function lossAndGradients(
  model: Model,
  batches: readonly WeightedBatch[],
  options: BackwardOptions,
): Promise<number> {
  const { config } = model;
  const stages = derivedStages(options.path ?? pathWithout(config), options);
  const tables = await openTables(model);
  const norm = await finalNormWeight(model);
  const advance = meter(batches.length * (2 * stages.length + 1), options);
  const states = await Promise.all(
    batches.map(async ({ ids }): Promise<BatchState> => ({ hidden: await embed(model, ids), behind: [], head: null })),
  );
  let loss = 0;
  const runs = blockRuns(model, batches, tables, options);

  const up = stages.map(
    (stage): Step => ({
      group: blockGroup(config, stage.block),
      async visit(weights) {
        for (const [b, state] of states.entries()) {
          const { hiddenOut, kept } = await runs.forward(stage, b, state.hidden, weights);
          if (stage.derived) state.behind.push({ hiddenIn: state.hidden, kept });
          else state.hidden.dispose();
          state.hidden = hiddenOut;
          advance();
        }
      },
    }),
  );
  const slices = headGroups(config, model.plan.headSliceRows);
  const over = slices.map(
    (group, s): Step => ({
      group,
      async visit(weights) {
        for (const [b, state] of states.entries()) {
          state.head ??= await openHeadGradient(model, batches[b]!, state.hidden, norm);
          await state.head.pass(weights.head!, group.parts[0]!.firstRow!);
          if (s < slices.length - 1) continue;
          const ended = await state.head.finish();
          loss += ended.loss;
          state.head.dispose();
          state.head = null;
          state.hidden = ended.hiddenOutGradient; // from here on the gradient takes the state's place
          advance();
        }
      },
    }),
  );
  const down = stages
    .filter((stage) => stage.derived)
    .reverse()
    .map(
      (stage): Step => ({
        group: blockGroup(config, stage.block),
        async visit(weights) {
          for (const [b, state] of states.entries()) {
            const { hiddenIn, kept } = state.behind.pop()!;
            const gradients = await runs.backward(stage, b, { hiddenIn, kept, gradient: state.hidden }, weights);
            for (const tensor of [hiddenIn, state.hidden, ...Object.values(kept)]) tensor.dispose();
            const { [hiddenInGradient]: next, ...rest } = gradients;
            if (next) state.hidden = next;
            if (stage.wanted.inputs.length > 0) await options.take(stage.block, rest, weights);
            advance();
          }
        },
      }),
    );
  try {
    await model.store.walk([...up, ...over, ...down]);
    return loss;
  } finally {
    for (const { hidden, behind, head } of states) {
      head?.dispose();
      for (const tensor of [hidden, ...behind.flatMap((it) => [it.hiddenIn, ...Object.values(it.kept)])])
        tensor.dispose();
    }
    norm.dispose();
    tables.dispose();
  }
}

/** Where a batch is: its state on the way up, its gradient on the way down, and what lies behind it. */
interface BatchState {
  hidden: Tensor;
  readonly behind: Behind[];
  head: HeadGradient | null;
}
interface Behind {
  readonly hiddenIn: Tensor;
  readonly kept: Readonly<Record<string, Tensor>>;
}

interface DerivedStage extends Stage {
  readonly wanted: GradientTargets;
  /** The gradient comes back to it: something here or before it is derived by. */
  readonly derived: boolean;
}

function derivedStages(path: Path, { derive }: BackwardOptions): DerivedStage[] {
  const inputs = path.map(({ block }) => derive(block));
  const first = inputs.findIndex((names) => names.length > 0);
  if (first < 0) throw new Error('nothing is derived by');
  return path.map((stage, i) => ({
    ...stage,
    wanted: { inputs: inputs[i]!, hiddenIn: i > first },
    derived: i >= first,
  }));
}

/** The runs of one block for one batch, there and back. */
function blockRuns(model: Model, batches: readonly WeightedBatch[], tables: Tables, options: BackwardOptions) {
  const { config, device } = model;
  const keeping = options.activations === 'keep';
  const use = (block: number): AdapterUse => ({
    layers: options.adapters?.layers(block) ?? new Map(),
    dropout: options.masks !== undefined,
  });
  const feeds = async (block: number, b: number, weights: Weights) => ({
    ...weights,
    ...(await tables.for(batches[b]!)),
    ...options.adapters?.tensors(block),
  });
  /** A run with the masks of its place, which are made for it. */
  const run = async (stage: DerivedStage, b: number, way: 'forward' | 'backward', given: Record<string, Tensor>) => {
    const masks = (await options.masks?.(stage.block, b)) ?? {};
    try {
      return await device.run(await program(stage, b, way), { ...given, ...masks });
    } finally {
      for (const mask of Object.values(masks)) mask.dispose();
    }
  };
  const program = (stage: DerivedStage, b: number, way: 'forward' | 'backward'): Promise<Program> => {
    const batch = batches[b]!;
    const adapters = use(stage.block);
    if (way === 'forward' && !(keeping && stage.derived)) return blockProgram(model, stage, batch, adapters);
    const { inputs, hiddenIn } = stage.wanted;
    const key = `${blockKey(model, stage, batch, adapters)} by ${inputs} ${hiddenIn}`;
    return device.program(`${way} ${options.activations} ${key}`, () =>
      keeping
        ? blockForwardAndBackward(config, stage, batch, adapters, stage.wanted)[way]
        : blockBackward(config, stage, batch, adapters, stage.wanted),
    );
  };
  return {
    async forward(stage: DerivedStage, b: number, hidden: Tensor, weights: Weights) {
      const given = await feeds(stage.block, b, weights);
      const { hiddenOut, ...kept } = await run(stage, b, 'forward', { ...given, hidden });
      return { hiddenOut: hiddenOut!, kept };
    },
    async backward(stage: DerivedStage, b: number, at: Behind & { gradient: Tensor }, weights: Weights) {
      const given = await feeds(stage.block, b, weights);
      const back = { ...at.kept, hidden: at.hiddenIn, [hiddenOutGradient]: at.gradient };
      return run(stage, b, 'backward', { ...given, ...back });
    },
  };
}

function meter(nRuns: number, { signal, onProgress }: BackwardOptions): () => void {
  let done = 0;
  return () => {
    onProgress?.(Math.min(1, ++done / nRuns));
    if (signal?.aborted) throw cancelled();
  };
}
