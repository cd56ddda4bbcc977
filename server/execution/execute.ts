// The one way through a model: batches go through the blocks of one or many paths and through the head, all of a round
// through one block before the next block. Whoever computes something with a model is a visitor (visitor.ts). What is the
// same for all is done here: the weights at hand, position tables, the final norm, progress, cancellation, and giving back
// each hidden state after its last use.
import { cancelled } from '../errors';
import type { ModelConfig } from '../model/config';
import type { Tensor } from '../runtime/tensor';
import { type BatchStates, nodesToRun, openBatchStates, ownedBy } from './batchStates';
import { blockProgram } from './blockProgram';
import { sequenceOperations } from './memoryPlan';
import { type Batch, embed, finalNormWeight, type Model, within } from './model';
import { explained } from './notFinite';
import { openTables, type Tables } from './positionTables';
import { stageRuns, type TrieNode } from './variantTrie';
import type { BlockVisit, Control, HeadPass, HeadVisit, Operations, Visitor } from './visitor';
import { blockGroup, headGroups, type Step, type Weights } from './weightStore';

export interface Execution extends Disposable {
  /**
   * Takes rounds of batches through the nodes of a trie; the batches of a round go together. Throws UserError `cancelled`
   * between two runs, `notFinite` where the visitor refuses a result that is.
   */
  run<B extends Batch, Result>(
    nodes: readonly TrieNode[],
    rounds: readonly (readonly B[])[],
    visitor: Visitor<B, Result>,
    control?: Control,
  ): Promise<void>;
}

/** Holds what several runs of a model have in common: position tables and the final norm's weight. */
export async function openExecution(model: Model): Promise<Execution> {
  const scope = model.device.scope();
  const own = within(scope, model);
  const common: Common = { model: own, norm: await finalNormWeight(own), tables: openTables(own) };
  return {
    async run(nodes, rounds, visitor, control = {}) {
      const operations = visitor.operations ?? sequencesOperations(model.config);
      const advance = openMeter(totalOperations(nodes, rounds.flat(), visitor, operations), control);
      await explained(own, async () => {
        for (const batches of rounds) await runRound({ ...common, nodes, visitor, operations, advance }, batches);
      });
    },
    [Symbol.dispose]: () => scope[Symbol.dispose](),
  };
}

interface Common {
  readonly model: Model;
  readonly norm: Tensor;
  readonly tables: Tables;
}

/** What one run, or one round of it, is about. */
interface Run<B extends Batch, Result> extends Common {
  readonly nodes: readonly TrieNode[];
  readonly visitor: Visitor<B, Result>;
  operations(batch: B): Operations;
  advance(operations: number): void;
}

/** A batch that goes through the model. */
interface RunningBatch<B> {
  readonly batch: B;
  readonly states: BatchStates;
}

async function runRound<B extends Batch, Result>(run: Run<B, Result>, batches: readonly B[]): Promise<void> {
  using scope = run.model.device.scope();
  const round = { ...run, model: within(scope, run.model) };
  const { model, nodes, visitor, norm } = round;
  await visitor.begin?.(model);
  const runningBatches = batches.map((batch) => ({ batch, states: statesOf(round, batch) }));
  try {
    const heads: OpenHead<B, Result>[] = [];
    const forward = blockSteps(round, runningBatches, heads);
    const head = visitor.head ? headSteps(round, runningBatches, heads) : [];
    const backward = visitor.backward ? backwardSteps(round, runningBatches) : [];
    await model.store.run([...forward, ...head, ...backward]);
    if (visitor.states)
      for (const { batch, states } of runningBatches)
        await visitor.states(await Promise.all([null, ...nodes].map(states.after)), batch, norm);
  } finally {
    for (const { states } of runningBatches) states[Symbol.dispose]();
  }
}

/** The states of a batch, with all that will use them. */
function statesOf<B extends Batch, Result>({ model, nodes, visitor }: Run<B, Result>, batch: B): BatchStates {
  const roots = nodes.filter(({ parent }) => parent === null);
  const back = (node: TrieNode | null) =>
    (node?.children ?? roots).filter((child) => visitor.backward?.passes(child)).length;
  return openBatchStates(model, nodes, batch, {
    known: visitor.known,
    first: () => visitor.first?.(model, batch) ?? embed(model, batch.ids),
    more: (node) => (endsHere(visitor, node, batch) ? 1 : 0) + back(node) + (visitor.states ? 1 : 0),
  });
}

/** Through the blocks in order. */
function blockSteps<B extends Batch, Result>(
  round: Run<B, Result>,
  runningBatches: readonly RunningBatch<B>[],
  heads: OpenHead<B, Result>[],
): Step[] {
  const { visitor, model } = round;
  const toRun = round.nodes.filter((node) => runningBatches.some(({ states }) => states.runs(node)));
  return [...new Set(toRun.map(({ stage }) => stage.block))].map((block) => ({
    group: blockGroup(model.config, block),
    async visit(weights) {
      for (const node of toRun.filter(({ stage }) => stage.block === block)) {
        for (const running of runningBatches) {
          if (!running.states.runs(node)) continue;
          await runBlock(round, node, running, weights);
          if (endsHere(visitor, node, running.batch)) heads.push(await openHead(round, node, running));
          round.advance(round.operations(running.batch).block * stageRuns(node.stage));
        }
      }
      await visitor.passed?.(block, weights);
    },
  }));
}

async function runBlock<B extends Batch, Result>(
  round: Run<B, Result>,
  node: TrieNode,
  { batch, states }: RunningBatch<B>,
  weights: Weights,
): Promise<void> {
  const { model, visitor } = round;
  using scope = model.device.scope();
  const visit = await blockVisit(round, scope, node, { batch, states }, weights);
  const hiddenOut = await (visitor.block ?? plainBlock)(visit);
  if (hiddenOut) {
    model.device.adopt(hiddenOut);
    states.put(node, (await visitor.keep?.(node, batch, hiddenOut)) ?? ownedBy(model.device, hiddenOut));
  }
  states.used(node.parent);
}

/** Through the slices of the head, with all that wait at the ends of their paths. */
function headSteps<B extends Batch, Result>(
  round: Run<B, Result>,
  runningBatches: readonly RunningBatch<B>[],
  heads: OpenHead<B, Result>[],
): Step[] {
  const { model, nodes, visitor, operations, advance } = round;
  const { config, plan } = model;
  return headGroups(config, plan.headSliceRows).map((group, s, slices) => ({
    group,
    async visit(weights) {
      const { firstRow, shape } = group.parts[0]!;
      if (s === 0)
        for (const running of runningBatches)
          for (const node of nodes)
            if (!running.states.runs(node) && endsHere(visitor, node, running.batch))
              heads.push(await openHead(round, node, running));
      for (const { visit, pass } of heads) {
        await pass.pass({ weights, firstRow: firstRow!, nRows: shape[0]! });
        if (s === slices.length - 1) {
          await visitor.take?.(await pass.finish(), visit);
          visit.model.device[Symbol.dispose]();
        }
        advance((operations(visit.batch).head * shape[0]!) / config.vocabularySize);
      }
    },
  }));
}

interface OpenHead<B, Result> {
  readonly visit: HeadVisit<B>;
  readonly pass: HeadPass<Result>;
}

async function openHead<B extends Batch, Result>(
  { model, visitor, norm }: Run<B, Result>,
  node: TrieNode,
  { batch, states }: RunningBatch<B>,
): Promise<OpenHead<B, Result>> {
  const visit = { model: within(model.device.scope(), model), node, batch, hidden: await states.after(node), norm };
  const pass = await visitor.head!(visit);
  states.used(node);
  return { visit, pass };
}

/** Through the blocks in reverse order, as far as the visitor goes. */
function backwardSteps<B extends Batch, Result>(
  round: Run<B, Result>,
  runningBatches: readonly RunningBatch<B>[],
): Step[] {
  const { model, nodes, operations, advance } = round;
  const backward = round.visitor.backward!;
  const step = (node: TrieNode): Step => ({
    group: blockGroup(model.config, node.stage.block),
    async visit(weights) {
      for (const running of runningBatches) {
        using scope = model.device.scope();
        await backward.block(await blockVisit(round, scope, node, running, weights));
        running.states.used(node.parent);
        advance(operations(running.batch).block * stageRuns(node.stage));
      }
    },
  });
  return nodes.filter(backward.passes).reverse().map(step);
}

async function blockVisit<B extends Batch, Result>(
  { model, visitor, tables }: Run<B, Result>,
  scope: Model['device'],
  node: TrieNode,
  { batch, states }: RunningBatch<B>,
  weights: Weights,
): Promise<BlockVisit<B>> {
  const inputs = await (visitor.inputs?.(batch, node.stage) ?? tables.for(batch));
  const feeds = { ...weights, ...inputs, hidden: await states.after(node.parent) };
  return { model: within(scope, model), node, batch, feeds, weights };
}

/** What a block does by default. */
export const plainBlock = async ({ model, node, batch, feeds }: BlockVisit<Batch>): Promise<Tensor> =>
  (await model.device.run(await blockProgram(model, node.stage, batch), feeds)).hiddenOut!;

const endsHere = <B extends Batch, Result>(visitor: Visitor<B, Result>, node: TrieNode | null, batch: B): boolean =>
  node !== null && node.ends.length > 0 && visitor.head !== undefined && (visitor.hasHead?.(batch) ?? true);

const sequencesOperations = (config: ModelConfig) => {
  const each = new Map<number, Operations>();
  return ({ batch, tokens }: Batch): Operations => {
    const { block, head } = each.get(tokens) ?? sequenceOperations(config, tokens);
    each.set(tokens, { block, head });
    return { block: batch * block, head: batch * head };
  };
};

function totalOperations<B extends Batch, Result>(
  nodes: readonly TrieNode[],
  batches: readonly B[],
  visitor: Visitor<B, Result>,
  operations: (batch: B) => Operations,
): number {
  let total = 0;
  for (const batch of batches) {
    const { block, head } = operations(batch);
    for (const node of nodesToRun(nodes, ({ key }) => visitor.known?.has(key, batch) ?? false))
      total += block * stageRuns(node.stage) * (visitor.backward?.passes(node) ? 2 : 1);
    total += head * nodes.filter((node) => endsHere(visitor, node, batch)).length;
  }
  return total;
}

/** Counts operations against all there are, and ends the run once its signal is aborted. */
function openMeter(total: number, { signal, onProgress }: Control): (operations: number) => void {
  let done = 0;
  return (operations) => {
    done += operations;
    onProgress?.(Math.min(1, done / total));
    if (signal?.aborted) throw cancelled();
  };
}
