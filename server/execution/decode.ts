// Greedy generation: the most likely token, one after another, with the keys and values of the past kept on the device.
import { cancelled } from '../errors';
import { cachedAttention, maskedScore } from '../model/attention';
import { pickRow, widenCache } from '../model/cache';
import { hasAttention, type Path, pathWithout } from '../model/path';
import { blockGraph, blockSignature } from '../model/block';
import type { Tensor } from '../runtime/tensor';
import { embed, finalNormWeight, type Model } from './model';
import { mostLikely } from './mostLikely';
import { openTables, type Tables } from './positionTables';
import { blockGroup, type Step } from './weightStore';

export interface DecodeOptions {
  /** Default: through all blocks. */
  readonly path?: Path;
  readonly maxTokens: number;
  /** Generation ends at one of these, which is not returned. */
  readonly endIds: readonly number[];
  readonly signal?: AbortSignal;
  onToken?(id: number): void;
}

/** The ids that follow the prompt, which must not be empty. */
export async function generate(model: Model, prompt: readonly number[], options: DecodeOptions): Promise<number[]> {
  const decoder = await openDecoder(model, prompt, options);
  try {
    return await untilEnd(options, decoder.first, decoder.next);
  } finally {
    decoder.dispose();
  }
}

/** The same ids from a whole forward pass for every token: slow and plain, to hold the cache against. */
export async function generateWithoutCache(
  model: Model,
  prompt: readonly number[],
  options: DecodeOptions,
): Promise<number[]> {
  const ids = [...prompt];
  const capacity = prompt.length + options.maxTokens;
  const tables = await openTables(model);
  const norm = await finalNormWeight(model);
  const next = async (id?: number) => {
    if (id !== undefined) ids.push(id);
    const padded = Int32Array.from({ length: capacity }, (_, i) => ids[i] ?? 0); // no token sees those after it
    return mostLikely(model, norm, await passPrompt(model, padded, ids.length - 1, options, tables));
  };
  try {
    return await untilEnd(options, next, next);
  } finally {
    norm.dispose();
    tables.dispose();
  }
}

async function untilEnd(
  options: DecodeOptions,
  first: () => Promise<number>,
  next: (id: number) => Promise<number>,
): Promise<number[]> {
  const made: number[] = [];
  for (let id = await first(); made.length < options.maxTokens && !options.endIds.includes(id); ) {
    made.push(id);
    options.onToken?.(id);
    if (options.signal?.aborted) throw cancelled();
    if (made.length < options.maxTokens) id = await next(id);
  }
  return made;
}

const oneToken = { batch: 1, tokens: 1 };

interface Decoder {
  first(): Promise<number>;
  next(id: number): Promise<number>;
  dispose(): void;
}

async function openDecoder(model: Model, prompt: readonly number[], options: DecodeOptions): Promise<Decoder> {
  const { config, device } = model;
  const path = options.path ?? pathWithout(config);
  const capacity = prompt.length + options.maxTokens;
  const caches = new Map<number, { keys: Tensor; values: Tensor }>();
  const tables = await openTables(model);
  const rotation = await tables.for({ batch: 1, tokens: capacity });
  const norm = await finalNormWeight(model);
  let position = prompt.length;

  const store = (k: number, keys: Tensor, values: Tensor) => {
    caches.get(k)?.keys.dispose();
    caches.get(k)?.values.dispose();
    caches.set(k, { keys, values });
  };
  return {
    async first() {
      const keep = async (k: number, keys: Tensor, values: Tensor) => {
        const program = await device.program(`widen ${keys.shape} ${capacity}`, () => widenCache(keys.shape, capacity));
        const wide = await device.run(program, { keys, values });
        store(k, wide.wideKeys!, wide.wideValues!);
      };
      return mostLikely(
        model,
        norm,
        await passPrompt(model, Int32Array.from(prompt), prompt.length - 1, options, tables, keep),
      );
    },
    async next(id) {
      let state = await embed(model, [id]);
      const vector = (at: (i: number) => number) =>
        device.upload(
          Float32Array.from({ length: capacity }, (_, i) => at(i)),
          [capacity],
          'table',
        );
      const slot = await vector((i) => (i === position ? 1 : 0));
      const positions = await device.upload(BigInt64Array.of(BigInt(position)), [1, 1], 'table');
      const steps = path.map(
        (stage): Step => ({
          group: blockGroup(config, stage.block),
          async visit(weights) {
            const k = stage.block;
            const window = config.blocks[k]!.slidingWindow ?? Number.POSITIVE_INFINITY;
            const mask = await vector((i) => (i <= position && i > position - window ? 0 : maskedScore));
            const program = await device.program(`decode ${blockSignature(config, stage)} ${capacity}`, () =>
              blockGraph(config, stage, oneToken, { attention: cachedAttention(capacity), returnKeyValues: true }),
            );
            const past = caches.get(k);
            const cache = past && { pastKeys: past.keys, pastValues: past.values };
            const feeds = { ...weights, ...rotation, positions, slot, mask, hidden: state, ...cache };
            const made = await device.run(program, feeds);
            state.dispose();
            mask.dispose();
            state = made.hiddenOut!;
            if (past) store(k, made.keys!, made.values!);
          },
        }),
      );
      await model.store.walk(steps);
      slot.dispose();
      positions.dispose();
      position++;
      return mostLikely(model, norm, state);
    },
    dispose() {
      for (const { keys, values } of caches.values()) {
        keys.dispose();
        values.dispose();
      }
      norm.dispose();
      tables.dispose();
    },
  };
}

/** All tokens through the blocks; gives back the state of one of them, [1, D]. */
async function passPrompt(
  model: Model,
  ids: Int32Array,
  row: number,
  { path = pathWithout(model.config), signal }: DecodeOptions,
  tables: Tables,
  keep?: (block: number, keys: Tensor, values: Tensor) => Promise<void>,
): Promise<Tensor> {
  const { config, device } = model;
  const batch = { batch: 1, tokens: ids.length };
  let state = await embed(model, ids);
  const steps = path.map(
    (stage): Step => ({
      group: blockGroup(config, stage.block),
      async visit(weights) {
        if (signal?.aborted) throw cancelled();
        const program = await device.program(`prompt ${blockSignature(config, stage)} ${ids.length}`, () =>
          blockGraph(config, stage, batch, { returnKeyValues: true }),
        );
        const { hiddenOut, keys, values } = await device.run(program, {
          ...weights,
          ...(await tables.for(batch)),
          hidden: state,
        });
        state.dispose();
        state = hiddenOut!;
        if (!hasAttention(stage.sublayers)) return;
        await keep?.(stage.block, keys!, values!);
        keys!.dispose();
        values!.dispose();
      },
    }),
  );
  await model.store.walk(steps);
  const pick = await device.upload(
    Float32Array.from(ids, (_, i) => (i === row ? 1 : 0)),
    [1, ids.length],
    'table',
  );
  const program = await device.program(`pickRow ${ids.length}`, () => pickRow(ids.length, config.width));
  const { row: picked } = await device.run(program, { hidden: state, pick });
  state.dispose();
  pick.dispose();
  return picked!;
}
