// Linear repair (ReplaceMe, arXiv:2505.02819): what a gap took away is approximated by a linear map of the output of the
// last half before it, and the map is folded into that half's output projection, so that the model keeps its form.
import { cancelled, UserError } from '../errors';
import { add } from '../graph/ops/elementwise';
import { matmul } from '../graph/ops/linear';
import { type Graph, input } from '../graph/value';
import type { ModelConfig } from '../model/config';
import { blockParts, blockSignature } from '../model/block';
import { hasAttention, hasMlp, type Path, pathWithout, type Stage } from '../model/path';
import { blockWeightName, outputProjections } from '../model/weights';
import type { RepairReport } from '../protocol/reports';
import type { Tensor } from '../runtime/tensor';
import { batchIds, embed, type MicroBatch, microBatches, type Model } from '../execution/model';
import { blockProgram } from '../execution/blockProgram';
import { openTables } from '../execution/positionTables';
import type { Borrowed, StateCache } from '../execution/stateCache';
import { emptyPrefix, prefixKey } from '../execution/variantTrie';
import { blockGroup } from '../execution/weightStore';
import { foldMap, type LeastSquares, openLeastSquares } from './leastSquares';

export interface Repair {
  /** The weights to put in place of the model's, by name, [out, in] flat or [out]. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly gaps: RepairReport['gaps'];
}

/** Dropped halves behind a stage of the path, up to the next stage; null: up to the end. */
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
  const halves = (of: Path) =>
    of.flatMap(({ block, sublayers }) => [
      ...(hasAttention(sublayers) ? [2 * block] : []),
      ...(hasMlp(sublayers) ? [2 * block + 1] : []),
    ]);
  const whole = halves(pathWithout(config));
  return path.flatMap((stage, index) => {
    const next = path[index + 1] ?? null;
    const last = halves([stage]).at(-1)!;
    const first = next ? halves([next])[0]! : 2 * config.nBlocks;
    return whole.some((half) => half > last && half < first) ? [{ index, stage, next }] : [];
  });
}

export interface RepairOptions {
  /** Has the hidden states of the whole model for all windows. */
  readonly cache: StateCache;
  readonly signal?: AbortSignal;
  onProgress?(fraction: number): void;
}

/**
 * Repairs for one ridge after another. For each gap, from the front: M is the output of the last half before it, Y the
 * state that it is added to, both in the model as repaired so far; T = argmin |M T - (h - Y)|^2 + a |T|^2, h the whole
 * model's state behind the gap; W <- T' W for the projection that M comes from.
 */
export function openRepair(
  model: Model,
  windows: readonly Int32Array[],
  path: Path,
  { cache, signal, onProgress }: RepairOptions,
): { solve(ridge: number): Promise<Repair>; dispose(): void } {
  const { config, device, store, checkpoint } = model;
  const batches = microBatches(windows, 0, model.plan.microBatchWindows);
  const gaps = gapsOf(config, path);
  // Nothing before the first gap depends on the ridge.
  let firstGap: { squares: LeastSquares; parts: Parts[] } | null = null;

  const solve = async (ridge: number): Promise<Repair> => {
    const tables = await openTables(model);
    const weights = new Map<string, Float32Array>();
    const report: RepairReport['gaps'] = [];
    let states: Tensor[] = [];
    let at = 0;
    try {
      for (const [g, gap] of gaps.entries()) {
        if (signal?.aborted) throw cancelled();
        const known = g === 0 ? firstGap : null;
        const { squares, parts } = known ?? (await measureGap(gap));
        if (g === 0) firstGap = { squares, parts };
        const { map, relativeResidual } = squares.solve(ridge);
        const half = hasMlp(gap.stage.sublayers) ? 'mlp' : 'attention';
        report.push({ after: { block: gap.stage.block, half }, relativeResidual });
        await fold(gap.stage.block, half, map, weights);
        states = await Promise.all(parts.map((part) => mapped(part, map)));
        if (g > 0) for (const part of parts) disposeParts(part);
        at = gap.index + 1;
        onProgress?.((g + 1) / gaps.length);
      }
      return { weights, gaps: report };
    } finally {
      for (const state of states) state.dispose();
      tables.dispose();
    }

    /** Everything that the map of a gap is made from: states go on up to the gap's stage. */
    async function measureGap(gap: Gap): Promise<{ squares: LeastSquares; parts: Parts[] }> {
      const parts: Parts[] = [];
      const begin = at === 0 ? longestKnown(gap) : at;
      const steps = path.slice(begin, gap.index + 1).map((stage) => ({
        group: blockGroup(config, stage.block),
        async visit(weightsOfBlock: Readonly<Record<string, Tensor>>) {
          for (const [b, batch] of batches.entries()) {
            if (signal?.aborted) throw cancelled();
            const fromCache = states[b] === undefined ? await stageInput(begin, batch) : null;
            const feeds = { ...weightsOfBlock, ...(await tables.for(batch)), hidden: states[b] ?? fromCache!.state };
            if (stage === gap.stage) parts[b] = await splitParts(stage, batch, feeds);
            const hiddenOut = stage === gap.stage ? null : await passStage(stage, batch, feeds);
            fromCache?.release();
            states[b]?.dispose();
            if (hiddenOut) states[b] = hiddenOut;
          }
        },
      }));
      await store.walk(steps);
      states = [];
      const squares = openLeastSquares(config.width);
      await store.walk([
        {
          group: blockGroup(config, gap.next?.block ?? gap.stage.block),
          async visit(weightsOfBlock: Readonly<Record<string, Tensor>>) {
            for (const [b, batch] of batches.entries()) {
              const behind = await borrowWhole(gap.next?.block ?? config.nBlocks, batch);
              const feeds = { ...weightsOfBlock, ...(await tables.for(batch)), hidden: behind.state };
              const between = gap.next && !hasAttention(gap.next.sublayers);
              const target = between
                ? await passStage({ block: gap.next!.block, sublayers: 'attentionOnly' }, batch, feeds)
                : behind.state;
              const { added, base } = parts[b]!;
              squares.add(await device.read(added), await device.read(target), await device.read(base));
              if (between) target.dispose();
              behind.release();
            }
          },
        },
      ]);
      return { squares, parts };
    }

    /** h[k] of the whole model. */
    function borrowWhole(k: number, batch: MicroBatch) {
      const prefix = pathWithout(config)
        .filter(({ block }) => block < k)
        .reduce(prefixKey, emptyPrefix);
      return cache.borrow(prefix, batch);
    }

    /** How many stages before the first gap's need not be passed: all, unless the model's very beginning is dropped. */
    function longestKnown(gap: Gap): number {
      for (let n = gap.index; n > 0; n--) if (batches.every((batch) => cache.has(prefixOf(n), batch))) return n;
      return 0;
    }

    async function stageInput(index: number, batch: MicroBatch): Promise<Borrowed> {
      if (index > 0) return cache.borrow(prefixOf(index), batch);
      const state = await embed(model, batchIds(windows, batch));
      return { state, release: () => state.dispose() };
    }

    function prefixOf(nStages: number): string {
      return path.slice(0, nStages).reduce(prefixKey, emptyPrefix);
    }

    async function passStage(stage: Stage, batch: MicroBatch, feeds: Record<string, Tensor>): Promise<Tensor> {
      return (await device.run(await blockProgram(model, stage, batch), feeds)).hiddenOut!;
    }

    async function splitParts(stage: Stage, batch: MicroBatch, feeds: Record<string, Tensor>): Promise<Parts> {
      const key = `repair ${blockSignature(config, stage)} ${batch.batch}x${batch.tokens}`;
      const program = await device.program(key, (): Graph => {
        const { mlp, between, attention, hiddenIn: before } = blockParts(config, stage, batch);
        const last = hasMlp(stage.sublayers) ? { added: mlp, base: between } : { added: attention, base: before };
        return { name: 'lastHalf', outputs: last };
      });
      const { added, base } = await device.run(program, feeds);
      return { added: added!, base: base! };
    }

    /** Y + M T, the state behind the repaired half. */
    async function mapped({ added, base }: Parts, map: Float64Array): Promise<Tensor> {
      const [rows, D] = added.shape as [number, number];
      const program = await device.program(`mapped ${rows}`, () => ({
        name: 'mapped',
        outputs: { hiddenOut: add(input('base', [rows, D]), matmul(input('added', [rows, D]), input('map', [D, D]))) },
      }));
      const t = await device.upload(Float32Array.from(map), [D, D], 'table');
      const { hiddenOut } = await device.run(program, { base, added, map: t });
      t.dispose();
      return hiddenOut!;
    }

    async function fold(block: number, half: 'attention' | 'mlp', map: Float64Array, into: Map<string, Float32Array>) {
      for (const part of ['weight', 'bias']) {
        const name = blockWeightName(block, `${outputProjections[half]}.${part}`);
        if (checkpoint.weights.has(name)) into.set(name, foldMap(map, await checkpoint.readF32(name), config.width));
      }
    }
  };
  return {
    solve,
    dispose() {
      for (const part of firstGap?.parts ?? []) disposeParts(part);
      firstGap = null;
    },
  };
}

/** The output of the last half before a gap, and the state that it is added to; each [B*T, D]. */
interface Parts {
  readonly added: Tensor;
  readonly base: Tensor;
}

function disposeParts({ added, base }: Parts): void {
  added.dispose();
  base.dispose();
}
