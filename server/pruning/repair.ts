// Linear repair (ReplaceMe, arXiv:2505.02819): what a gap took away is approximated by a linear map of the output of the
// last sublayer before it, and the map is folded into that sublayer's output projection, so that the model keeps its form.
import { cancelled, UserError } from '../errors';
import { add } from '../graph/ops/elementwise';
import { matmul } from '../graph/ops/linear';
import { type Graph, input } from '../graph/value';
import type { BatchShape } from '../model/blockInputs';
import type { ModelConfig } from '../model/config';
import { blockParts } from '../model/block';
import { hasAttention, hasMlp, type Path, pathWithout, type Stage } from '../model/path';
import { blockWeightName, outputProjections } from '../model/weights';
import type { RepairReport } from '../recipes/prune/recipe';
import { allFinite } from '../shared/finite';
import type { Scope } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import { shapeOf, stageArgument } from '../execution/blockProgram';
import { type Execution, openExecution, plainBlock } from '../execution/execute';
import { type MicroBatch, microBatches, type Model, within } from '../execution/model';
import type { StateCache } from '../execution/stateCache';
import { buildTrie, emptyPrefix, prefixKey } from '../execution/variantTrie';
import { foldMap, type LeastSquares, notFiniteRepair, openLeastSquares } from './leastSquares';

export interface Repair {
  /** The weights to put in place of the model's, by name, [out, in] flat or [out]. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly gaps: RepairReport['gaps'];
}

/** Dropped sublayers behind a stage of the path, up to the next stage; null: up to the end. */
interface Gap {
  readonly index: number;
  readonly stage: Stage;
  readonly next: Stage | null;
}

/**
 * A norm behind the output projection divides by the length of what it gets: no weight before it does what a linear map
 * behind it would.
 * @throws UserError `unsupportedModel` for such a family.
 */
export function refuseUnfoldable({ family, form: { norms } }: ModelConfig): void {
  if (norms.attention.after === null && norms.mlp.after === null) return;
  throw new UserError(
    'unsupportedModel',
    `A ${family} model cannot be repaired: its output projections are followed by a norm, so that a linear map cannot be folded into them; leave out the repair, or heal the model instead.`,
  );
}

/** What the model without a drop set lacks behind each of its stages. What is dropped before the first stage is not among it. */
export function gapsOf(config: ModelConfig, path: Path): Gap[] {
  const sublayers = (of: Path) =>
    of.flatMap((stage) => [
      ...(hasAttention(stage.sublayers) ? [2 * stage.block] : []),
      ...(hasMlp(stage.sublayers) ? [2 * stage.block + 1] : []),
    ]);
  const original = sublayers(pathWithout(config));
  return path.flatMap((stage, index) => {
    const next = path[index + 1] ?? null;
    const last = sublayers([stage]).at(-1)!;
    const first = next ? sublayers([next])[0]! : 2 * config.nBlocks;
    return original.some((sublayer) => sublayer > last && sublayer < first) ? [{ index, stage, next }] : [];
  });
}

export interface RepairOptions {
  /** Multiplies in float64: the CPU. */
  readonly host: Scope;
  /** Has the hidden states of the original model for all sequences. */
  readonly cache: StateCache;
  readonly signal?: AbortSignal;
  onProgress?(fraction: number): void;
}

export interface LinearRepair extends Disposable {
  /** Throws UserError `badData` where the sequences do not determine a map without a larger ridge, `notFinite` where it is not. */
  solve(ridge: number): Promise<Repair>;
}

/**
 * Repairs for one ridge after another. For each gap, from the front: M is the output of the last sublayer before it, Y the
 * state that it is added to, both in the model as repaired so far; T = argmin |M T - (h - Y)|^2 + a |T|^2, h the original
 * model's state behind the gap; W <- T' W for the projection that M comes from.
 */
export function openRepair(
  model: Model,
  sequences: readonly Int32Array[],
  path: Path,
  { host, cache, signal, onProgress }: RepairOptions,
): LinearRepair {
  const scope = model.device.scope();
  const gaps = gapsOf(model.config, path);
  const batches = microBatches(sequences, model.plan.microBatchSequences);
  // Nothing before the first gap depends on the ridge.
  let firstGap: MeasuredGap | null = null;
  return {
    async solve(ridge) {
      using solving = scope.scope();
      using execution = await openExecution(within(solving, model));
      const weights = new Map<string, Float32Array>();
      const report: RepairReport['gaps'] = [];
      let from: RepairedStates | null = null;
      for (const [g, gap] of gaps.entries()) {
        if (signal?.aborted) throw cancelled();
        const run = { model, host, execution, batches, path, cache, signal, scope: g === 0 ? scope : solving };
        const measured: MeasuredGap = (g === 0 && firstGap) || (await measureGap(run, gap, from));
        if (g === 0) firstGap = measured;
        const { map, relativeResidual } = await measured.squares.solve(ridge);
        const half = hasMlp(gap.stage.sublayers) ? 'mlp' : 'attention';
        report.push({ after: { block: gap.stage.block, half }, relativeResidual });
        await fold(model, host, report.at(-1)!.after, map, weights);
        from = { index: gap.index + 1, states: await mappedStates(solving, measured.parts, map) };
        for (const { added, base } of measured.parts.values()) solving.release(added, base);
        onProgress?.((g + 1) / gaps.length);
      }
      return { weights, gaps: report };
    },
    [Symbol.dispose]: () => scope[Symbol.dispose](),
  };
}

/** Everything that the map of a gap is made from. */
interface MeasuredGap {
  readonly squares: LeastSquares;
  readonly parts: ReadonlyMap<MicroBatch, Parts>;
}

/** The output of the last sublayer before a gap, and the state that it is added to; each [B*T, D]. */
interface Parts {
  readonly added: Tensor;
  readonly base: Tensor;
}

/** The states of the model as repaired so far, before stage `index` of the path. */
interface RepairedStates {
  readonly index: number;
  readonly states: ReadonlyMap<MicroBatch, Tensor>;
}

interface Run {
  readonly model: Model;
  readonly host: Scope;
  readonly execution: Execution;
  readonly batches: readonly MicroBatch[];
  readonly path: Path;
  readonly cache: StateCache;
  readonly signal: AbortSignal | undefined;
  /** Owns the parts. */
  readonly scope: Scope;
}

async function measureGap(run: Run, gap: Gap, from: RepairedStates | null): Promise<MeasuredGap> {
  const parts = await partsBefore(run, gap, from);
  const squares = openLeastSquares(run.host, run.model.config.width);
  await withStatesBehind(run, gap, async (batch, state) => {
    const { device } = run.model;
    const { added, base } = parts.get(batch)!;
    await squares.add(await device.read(added), await device.read(state), await device.read(base));
  });
  return { squares, parts };
}

/** Goes on from the last gap, or from the original model's states, up to the stage before a gap. */
async function partsBefore(
  { execution, batches, path, cache, signal, scope }: Run,
  { index, stage }: Gap,
  from: RepairedStates | null,
): Promise<Map<MicroBatch, Parts>> {
  const parts = new Map<MicroBatch, Parts>();
  // The stage itself is run in any case: its parts are not in the cache.
  const known = {
    ...cache,
    has: (key: string, batch: MicroBatch) => key !== keyOf(path, index) && cache.has(key, batch),
  };
  const start = from
    ? {
        async first(model: Model, batch: MicroBatch) {
          const state = from.states.get(batch)!;
          model.device.adopt(state);
          return state;
        },
      }
    : { known };
  await execution.run<MicroBatch, void>(
    buildTrie([path.slice(from?.index ?? 0, index + 1)]),
    [batches],
    {
      ...start,
      async block(visit) {
        if (visit.node.stage !== stage) return plainBlock(visit);
        const { model, batch, feeds } = visit;
        const { config, device } = model;
        const program = await device.program(lastSublayer, config, stageArgument(config, stage), shapeOf(batch));
        const { added, base } = await device.run(program, feeds);
        scope.adopt(added, base);
        parts.set(batch, { added: added!, base: base! });
        return null;
      },
    },
    { signal },
  );
  return parts;
}

/** The original model's states where the path goes on behind a gap. */
async function withStatesBehind(
  { model, execution, batches, cache, signal }: Run,
  { next }: Gap,
  use: (batch: MicroBatch, state: Tensor) => Promise<void>,
): Promise<void> {
  const { config } = model;
  const before = pathWithout(config).filter(({ block }) => block < (next?.block ?? config.nBlocks));
  if (next && !hasAttention(next.sublayers)) {
    const attention: Stage = { block: next.block, sublayers: 'attentionOnly' };
    await execution.run<MicroBatch, void>(
      buildTrie([[...before, attention]]),
      [batches],
      {
        known: cache,
        async block(visit) {
          const state = await plainBlock(visit);
          if (visit.node.stage === attention) await use(visit.batch, state);
          return state;
        },
      },
      { signal },
    );
    return;
  }
  for (const batch of batches) {
    if (signal?.aborted) throw cancelled();
    const borrowed = await cache.borrow(keyOf(before, before.length - 1), batch);
    try {
      await use(batch, borrowed.state);
    } finally {
      borrowed.release();
    }
  }
}

/** The key of the state after stage `index` of a path. */
const keyOf = (path: Path, index: number): string => path.slice(0, index + 1).reduce(prefixKey, emptyPrefix);

function lastSublayer(config: ModelConfig, stage: Stage, batch: BatchShape): Graph {
  const { mlp, between, attention, hiddenIn } = blockParts(config, stage, batch);
  const outputs = hasMlp(stage.sublayers) ? { added: mlp, base: between } : { added: attention, base: hiddenIn };
  return { name: 'lastSublayer', outputs };
}

/** Y + M T, the states behind the repaired sublayer. */
async function mappedStates(
  scope: Scope,
  parts: ReadonlyMap<MicroBatch, Parts>,
  map: Float64Array,
): Promise<Map<MicroBatch, Tensor>> {
  const states = new Map<MicroBatch, Tensor>();
  for (const [batch, { added, base }] of parts) {
    const [rows, D] = added.shape as [number, number];
    using inner = scope.scope();
    const feeds = { base, added, map: await inner.upload(new Float32Array(map), [D, D], 'table') };
    const { mapped } = await scope.run(await scope.program(mappedState, rows, D), feeds);
    states.set(batch, mapped!);
  }
  return states;
}

const mappedState = (rows: number, D: number): Graph => ({
  name: 'mappedState',
  outputs: { mapped: add(input('base', [rows, D]), matmul(input('added', [rows, D]), input('map', [D, D]))) },
});

async function fold(
  { checkpoint, config }: Model,
  host: Scope,
  { block, half }: RepairReport['gaps'][number]['after'],
  map: Float64Array,
  into: Map<string, Float32Array>,
): Promise<void> {
  for (const part of ['weight', 'bias']) {
    const name = blockWeightName(block, `${outputProjections[half]}.${part}`);
    if (!checkpoint.weights.has(name)) continue;
    const folded = await foldMap(host, map, await checkpoint.readF32(name), config.width);
    if (!allFinite(folded)) throw notFiniteRepair(`${name} with its map is`);
    into.set(name, folded);
  }
}
