// Greedy generation: the most likely token, one after another, with the keys and values of the past kept on the device.
import { cancelled } from '../errors';
import type { Graph } from '../graph/value';
import { cachedAttention, maskedScore } from '../model/attention';
import type { BatchShape } from '../model/blockInputs';
import { widenCache } from '../model/cache';
import type { ModelConfig } from '../model/config';
import { blockGraph } from '../model/block';
import { type Path, pathWithout, type Stage } from '../model/path';
import type { Scope } from '../runtime/device';
import type { Tensor, Tensors } from '../runtime/tensor';
import { stageArgument } from './blockProgram';
import { openExecution } from './execute';
import { type Batch, type Model, within } from './model';
import { openMostLikely } from './mostLikely';
import { openTables } from './positionTables';
import { buildTrie } from './variantTrie';
import type { BlockVisit, Visitor } from './visitor';

export interface DecodeOptions {
  /** Default: through all blocks. */
  readonly path?: Path;
  readonly maxTokens: number;
  /** Generation ends at one of these, which is not returned. */
  readonly endIds: readonly number[];
  readonly signal?: AbortSignal;
  /** Awaited before the next token is computed. */
  onToken?(id: number): void | Promise<void>;
}

/** The ids that follow the prompt, which must not be empty. Throws UserError('cancelled') between two runs. */
export async function generate(model: Model, prompt: readonly number[], options: DecodeOptions): Promise<number[]> {
  using scope = model.device.scope();
  const next = await openNext(within(scope, model), options);
  const caches = openCaches(scope, prompt.length + options.maxTokens);
  const decoding = await decodingVisitor(within(scope, model), caches);
  return await untilEnd(
    options,
    () => next(Int32Array.from(prompt), prompt.length - 1, promptVisitor(caches)),
    (id, position) => next(Int32Array.of(id), 0, decoding(position)),
    prompt.length,
  );
}

/** The same ids from a whole forward pass for every token: slow and plain, to hold the cache against. */
export async function generateWithoutCache(
  model: Model,
  prompt: readonly number[],
  options: DecodeOptions,
): Promise<number[]> {
  using scope = model.device.scope();
  const next = await openNext(within(scope, model), options);
  const ids = new Int32Array(prompt.length + options.maxTokens); // no token sees those after it
  ids.set(prompt);
  return await untilEnd(
    options,
    () => next(ids, prompt.length - 1, {}),
    (id, position) => {
      ids[position] = id;
      return next(ids, position, {});
    },
    prompt.length,
  );
}

/** @param next the id after `id`, which stands at `position` */
async function untilEnd(
  options: DecodeOptions,
  first: () => Promise<number>,
  next: (id: number, position: number) => Promise<number>,
  nPrompt: number,
): Promise<number[]> {
  const made: number[] = [];
  for (let id = await first(); made.length < options.maxTokens && !options.endIds.includes(id); ) {
    made.push(id);
    await options.onToken?.(id);
    if (options.signal?.aborted) throw cancelled();
    if (made.length < options.maxTokens) id = await next(id, nPrompt + made.length - 1);
  }
  return made;
}

/** Takes ids through the blocks and gives the id that most likely follows one of them. */
async function openNext(model: Model, { path = pathWithout(model.config), signal }: DecodeOptions) {
  const execution = await openExecution(model);
  const nodes = buildTrie([path]);
  return async (ids: Int32Array, row: number, visitor: Pick<Visitor<Batch, number>, 'begin' | 'inputs' | 'block'>) => {
    let found = 0;
    const batch = { batch: 1, tokens: ids.length, ids };
    await execution.run<Batch, number>(
      nodes,
      [[batch]],
      { ...visitor, head: (visit) => openMostLikely(visit, row), take: async (id) => void (found = id) },
      { signal },
    );
    return found;
  };
}

/** Keys and values of the past by block, [1, G, capacity, E]; zero where nothing was written yet. */
interface Caches {
  readonly capacity: number;
  of(block: number): { readonly keys: Tensor; readonly values: Tensor } | undefined;
  put(block: number, keys: Tensor, values: Tensor): void;
}

function openCaches(scope: Scope, capacity: number): Caches {
  const caches = new Map<number, { readonly keys: Tensor; readonly values: Tensor }>();
  return {
    capacity,
    of: (block) => caches.get(block),
    put(block, keys, values) {
      const before = caches.get(block);
      scope.release(before?.keys, before?.values);
      scope.adopt(keys, values);
      caches.set(block, { keys, values });
    },
  };
}

/** All tokens of the prompt at once. */
const promptVisitor = ({ capacity, put }: Caches): Pick<Visitor<Batch>, 'block'> => ({
  async block({ model: { config, device }, node: { stage }, batch, feeds }) {
    const shape = { batch: 1, tokens: batch.tokens };
    const program = await device.program(promptBlock, config, stageArgument(config, stage), shape);
    const { hiddenOut, keys, values } = await device.run(program, feeds);
    if (keys && values) {
      const wide = await device.run(await device.program(widenCache, keys.shape, capacity), { keys, values });
      put(stage.block, wide.wideKeys!, wide.wideValues!);
    }
    return hiddenOut!;
  },
});

const promptBlock = (config: ModelConfig, stage: Stage, batch: BatchShape): Graph =>
  blockGraph(config, stage, batch, { returnKeyValues: true });

const decodeBlock = (config: ModelConfig, stage: Stage, capacity: number): Graph =>
  blockGraph(config, stage, { batch: 1, tokens: 1 }, { attention: cachedAttention(capacity), returnKeyValues: true });

/** One token after others whose keys and values are kept, by its position. */
async function decodingVisitor({ config, device }: Model, caches: Caches) {
  const { capacity } = caches;
  const tables = await openTables({ config, device }).for({ batch: 1, tokens: capacity });
  const vector = (scope: Scope, at: (i: number) => number) =>
    scope.upload(
      Float32Array.from({ length: capacity }, (_, i) => at(i)),
      [capacity],
      'table',
    );

  return (position: number): Pick<Visitor<Batch>, 'begin' | 'inputs' | 'block'> => {
    /** What is the same for all blocks of this token. */
    let ofToken: Tensors = tables;
    return {
      async begin({ device: scope }) {
        const positions = await scope.upload(BigInt64Array.of(BigInt(position)), [1, 1], 'table');
        ofToken = { ...tables, positions, slot: await vector(scope, (i) => (i === position ? 1 : 0)) };
      },
      inputs: async () => ofToken,
      async block({ model: { device: scope }, node: { stage }, feeds }: BlockVisit<Batch>) {
        const range = config.blocks[stage.block]!.slidingWindow ?? Number.POSITIVE_INFINITY;
        const past = caches.of(stage.block);
        const inputs: Tensors = {
          mask: await vector(scope, (i) => (i <= position && i > position - range ? 0 : maskedScore)),
          ...(past && { pastKeys: past.keys, pastValues: past.values }),
        };
        const program = await scope.program(decodeBlock, config, stageArgument(config, stage), capacity);
        const { hiddenOut, keys, values } = await scope.run(program, { ...feeds, ...inputs });
        if (keys && values) caches.put(stage.block, keys, values);
        return hiddenOut!;
      },
    };
  };
}
