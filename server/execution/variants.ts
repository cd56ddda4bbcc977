// The losses of many paths through one model: what they share at their beginning is computed once, what is known from
// before comes from a cache, and the blocks are walked as always, each block once for all that pass it.
import { cancelled } from '../errors';
import type { Path } from '../model/path';
import type { Tensor } from '../runtime/tensor';
import { blockProgram } from './blockProgram';
import { type HeadLoss, openHeadLoss } from './headLoss';
import { windowOperations } from './memoryPlan';
import { batchIds, embed, finalNormWeight, type MicroBatch, microBatches, type Model, type WindowRange } from './model';
import { openTables, type Tables } from './positionTables';
import type { Borrowed, StateCache } from './stateCache';
import { buildTrie, emptyPrefix, stageRuns, type TrieNode } from './variantTrie';
import { blockGroup, headGroups, type Step, type Weights } from './weightStore';
import type { WorkMeter } from './workMeter';

export interface VariantOptions {
  /** Default: all windows. */
  readonly range?: WindowRange;
  readonly cache?: StateCache;
  /** Which states the cache is to keep; `pinned` ones it never forgets by itself. Default: none. */
  readonly keeps?: (node: TrieNode) => false | 'spare' | 'pinned';
  readonly meter?: WorkMeter;
  readonly signal?: AbortSignal;
  /** Called after every run with the share of the work that is done, in [0, 1]. */
  onProgress?(fraction: number): void;
}

/**
 * The loss in nats of every prediction on each path: path -> [windows of the range x (T - 1)]. Throws
 * UserError('cancelled') between two runs.
 */
export async function measurePaths(
  model: Model,
  windows: readonly Int32Array[],
  paths: readonly Path[],
  options: VariantOptions = {},
): Promise<Float32Array[]> {
  const { first, end } = options.range ?? { first: 0, end: windows.length };
  const { plan } = model;
  const nPredictions = windows[0]!.length - 1;
  const nats = paths.map(() => new Float32Array((end - first) * nPredictions));
  const trie = buildTrie(paths);
  const groups: MicroBatch[][] = [];
  for (let at = first; at < end; at += plan.groupWindows)
    groups.push(microBatches(windows.slice(at, Math.min(end, at + plan.groupWindows)), at, plan.microBatchWindows));
  const advance = progressOf(model, trie, groups, options);
  const tables = await openTables(model);
  const norm = await finalNormWeight(model);
  try {
    for (const batches of groups) {
      const group = { model, windows, trie, tables, norm, advance, ...options };
      await measureGroup(group, batches, (node, { firstWindow }, tokenNats) => {
        for (const path of node.ends) nats[path]!.set(tokenNats, (firstWindow - first) * nPredictions);
      });
    }
  } finally {
    norm.dispose();
    tables.dispose();
  }
  return nats;
}

interface Group extends VariantOptions {
  readonly model: Model;
  readonly windows: readonly Int32Array[];
  readonly trie: readonly TrieNode[];
  readonly tables: Tables;
  readonly norm: Tensor;
  advance(operations: number): void;
}

type Take = (node: TrieNode, batch: MicroBatch, tokenNats: Float32Array) => void;

async function measureGroup(group: Group, batches: readonly MicroBatch[], take: Take): Promise<void> {
  const { model, trie, meter } = group;
  const { config, device, plan, store } = model;
  const passes = batches.map((batch) => openPass(group, batch));
  const heads: { node: TrieNode; batch: MicroBatch; head: HeadLoss }[] = [];
  const each = windowOperations(config, batches[0]!.tokens);

  const openHead = async (pass: Pass, node: TrieNode) => {
    heads.push({
      node,
      batch: pass.batch,
      head: await openHeadLoss(model, group.windows, pass.batch, await pass.stateAfter(node), group.norm),
    });
    meter?.head(node, pass.batch);
    pass.finished(node);
  };
  const blocks = new Set(passes.flatMap((pass) => trie.filter(pass.runs).map((node) => node.stage.block)));
  const blockSteps = [...blocks]
    .sort((a, b) => a - b)
    .map(
      (block): Step => ({
        group: blockGroup(config, block),
        async visit(weights) {
          for (const pass of passes) {
            for (const node of trie) {
              if (node.stage.block !== block || !pass.runs(node)) continue;
              await pass.run(node, weights);
              if (node.ends.length > 0) await openHead(pass, node);
              group.advance(each.block * stageRuns(node.stage) * pass.batch.batch);
            }
          }
        },
      }),
    );
  const headSteps = headGroups(config, plan.headSliceRows).map(
    (slice, i): Step => ({
      group: slice,
      async visit(weights) {
        if (i === 0)
          for (const pass of passes)
            for (const node of trie) if (node.ends.length > 0 && !pass.runs(node)) await openHead(pass, node);
        for (const { head, batch } of heads) {
          await head.pass(weights.head!, slice.parts[0]!.firstRow!);
          group.advance((each.head * batch.batch * slice.parts[0]!.shape[0]!) / config.vocabularySize);
        }
      },
    }),
  );
  try {
    await store.walk([...blockSteps, ...headSteps]);
    for (const { node, batch, head } of heads) take(node, batch, await device.read((await head.finish()).tokenNats));
  } finally {
    for (const { head } of heads) head.dispose();
    for (const pass of passes) pass.dispose();
  }
}

/** One micro-batch on its way through the trie: which states it has, and who still needs them. */
interface Pass {
  readonly batch: MicroBatch;
  /** False for a node that the cache knows, or that only leads to such. */
  runs(node: TrieNode): boolean;
  run(node: TrieNode, weights: Weights): Promise<void>;
  stateAfter(node: TrieNode): Promise<Tensor>;
  /** Whoever was given a state says so when it is done with it. */
  finished(node: TrieNode): void;
  dispose(): void;
}

function openPass({ model, windows, trie, tables, cache, keeps, meter }: Group, batch: MicroBatch): Pass {
  const { device } = model;
  const toRun = nodesToRun(trie, (node) => cache?.has(node.key, batch) ?? false);
  const toRunKeys = new Set([...toRun].map(({ key }) => key));
  const users = new Map<string, number>([[emptyPrefix, trie.filter((n) => n.parent === null && toRun.has(n)).length]]);
  for (const node of trie)
    users.set(node.key, node.children.filter((child) => toRun.has(child)).length + (node.ends.length > 0 ? 1 : 0));
  const held = new Map<string, Borrowed>();
  // What this pass begins with must not make room for what it adds to the cache.
  const reserved = new Map<string, { release(): void }>();
  for (const { key } of trie)
    if (!toRunKeys.has(key) && users.get(key)! > 0) reserved.set(key, cache!.reserve(key, batch));

  const hold = async (key: string): Promise<Tensor> => {
    const known = held.get(key);
    if (known) return known.state;
    const borrowed =
      key === emptyPrefix ? owned(await embed(model, batchIds(windows, batch))) : await cache!.borrow(key, batch);
    held.set(key, borrowed);
    return borrowed.state;
  };
  const finished = (key: string) => {
    const left = users.get(key)! - 1;
    users.set(key, left);
    if (left > 0) return;
    for (const owner of [held, reserved]) {
      owner.get(key)?.release();
      owner.delete(key);
    }
  };
  return {
    batch,
    runs: (node) => toRun.has(node),
    stateAfter: (node) => hold(node.key),
    finished: (node) => finished(node.key),
    async run(node, weights) {
      const { stage, key } = node;
      const parentKey = node.parent?.key ?? emptyPrefix;
      const program = await blockProgram(model, stage, batch);
      const feeds = { ...weights, ...(await tables.for(batch)), hidden: await hold(parentKey) };
      const { hiddenOut } = await device.run(program, feeds);
      const kept = keeps?.(node) ?? false;
      held.set(key, cache && kept ? await cache.keep(key, batch, hiddenOut!, kept === 'pinned') : owned(hiddenOut!));
      meter?.block(node, batch);
      finished(parentKey);
    },
    dispose() {
      for (const owner of [held, reserved]) {
        for (const each of owner.values()) each.release();
        owner.clear();
      }
    },
  };
}

const owned = (state: Tensor): Borrowed => ({ state, release: () => state.dispose() });

/** Everything between the ends of paths and what is known. */
function nodesToRun(trie: readonly TrieNode[], known: (node: TrieNode) => boolean): Set<TrieNode> {
  const toRun = new Set<TrieNode>();
  for (const end of trie) {
    if (end.ends.length === 0) continue;
    for (let node: TrieNode | null = end; node && !toRun.has(node) && !known(node); node = node.parent) toRun.add(node);
  }
  return toRun;
}

function progressOf(
  { config }: Model,
  trie: readonly TrieNode[],
  groups: readonly MicroBatch[][],
  { cache, signal, onProgress }: VariantOptions,
) {
  const batches = groups.flat();
  const each = windowOperations(config, batches[0]!.tokens);
  const nEnds = trie.filter((node) => node.ends.length > 0).length;
  let all = 0;
  for (const batch of batches) {
    const toRun = nodesToRun(trie, (node) => cache?.has(node.key, batch) ?? false);
    for (const node of toRun) all += batch.batch * each.block * stageRuns(node.stage);
    all += batch.batch * each.head * nEnds;
  }
  let done = 0;
  return (operations: number) => {
    done += operations;
    onProgress?.(Math.min(1, done / all));
    if (signal?.aborted) throw cancelled();
  };
}
