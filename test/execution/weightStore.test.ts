// How weights come and go: in order, the next read beside the present visit, and nothing left behind after an error.
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../server/checkpoint/checkpoint';
import { readModelConfig } from '../../server/model/readConfig';
import { weightShapes } from '../../server/model/weights';
import type { Scope } from '../../server/runtime/device';
import { openOwner, type Owner } from '../../server/runtime/ownership';
import { noCounts, type Tensor } from '../../server/runtime/tensor';
import {
  blockGroup,
  groupSize,
  headGroups,
  openWeightStore,
  residentStore,
  type Step,
  streamingStore,
  type WeightGroup,
} from '../../server/execution/weightStore';

/** A group of one weight with `length` elements. */
const group = (key: string, length = 4): WeightGroup => ({
  key,
  parts: [{ input: 'w', weight: key, shape: [length], firstRow: null, width: 'f32' }],
});
const [a, b, c] = [group('a'), group('b', 6), group('c', 2)];
const numberOf = (weight: string) => weight.charCodeAt(0);

/** A checkpoint whose reads end when a test says so, and a device that knows which tensors live. */
function stage(provider: Scope['provider'] = 'cpu') {
  const log: string[] = [];
  const reads = new Map<string, { finish(): void; fail(error: Error): void }>();
  const live = new Map<Tensor, Float32Array>();
  let mostLive = 0;
  const read = (weight: string, into: Float32Array) => {
    log.push(`read ${weight}`);
    return new Promise<Float32Array>((resolve, reject) =>
      reads.set(weight, { finish: () => resolve(into.fill(numberOf(weight))), fail: reject }),
    );
  };
  const checkpoint = {
    readF32: (weight: string, into: Float32Array) => read(weight, into),
    readRowsF32: (weight: string, first: number, n: number, into: Float32Array) =>
      read(`${weight} ${first}+${n}`, into),
  } as Pick<Checkpoint, 'readF32' | 'readRowsF32'> as Checkpoint;
  const scopeOf = (owner: Owner): Scope =>
    ({
      async upload(data: Float32Array, shape: readonly number[], role: Tensor['role']) {
        const tensor: Tensor = { shape, role, dtype: 'float32', nBytes: 4 * data.length };
        live.set(tensor, data);
        mostLive = Math.max(mostLive, live.size);
        return owner.own(tensor, () => live.delete(tensor));
      },
      provider,
      scope: () => scopeOf(owner.inner()),
      [Symbol.dispose]: owner.end,
    }) as Partial<Scope> as Scope;
  const device = scopeOf(openOwner(noCounts()));
  /** A visit that ends when a test says so. */
  const visits = new Map<string, { finish(): void; fail(error: Error): void }>();
  const step = (of: WeightGroup): Step => ({
    group: of,
    visit(weights) {
      log.push(`visit ${of.key} ${Object.values(weights).map((tensor) => [...new Set(live.get(tensor))])}`);
      return new Promise<void>((resolve, reject) => visits.set(of.key, { finish: resolve, fail: reject }));
    },
  });
  return { log, reads, visits, live, step, checkpoint, device, most: () => mostLive };
}

/** Lets everything run that waits for no one else. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

/** What became of a promise so far. */
function outcome(promise: Promise<void>): { is: string } {
  const found = { is: 'pending' };
  promise.then(
    () => (found.is = 'done'),
    (error: Error) => (found.is = error.message),
  );
  return found;
}

describe('streaming', () => {
  it('visits in order, and reads the next group while the present one is visited', async () => {
    const { log, reads, visits, live, step, checkpoint, device, most } = stage();
    const run = outcome(streamingStore(checkpoint, device).run([step(a), step(b), step(c)]));
    await settle();
    expect(log).toEqual(['read a']);
    reads.get('a')!.finish();
    await settle();
    expect(log.splice(0)).toEqual(['read a', 'read b', `visit a ${numberOf('a')}`]);
    reads.get('b')!.finish();
    await settle();
    expect(log).toEqual([]); // nothing goes on before the visit ends
    visits.get('a')!.finish();
    await settle();
    expect(log.splice(0)).toEqual(['read c', `visit b ${numberOf('b')}`]);
    visits.get('b')!.finish();
    await settle();
    expect(log).toEqual([]); // nor before the next group is there
    reads.get('c')!.finish();
    await settle();
    expect(log).toEqual([`visit c ${numberOf('c')}`]);
    expect(run.is).toBe('pending');
    visits.get('c')!.finish();
    await settle();
    expect(run.is).toBe('done');
    expect([live.size, most()]).toEqual([0, 1]);
  });

  it('reads the next group into other memory than the present one', async () => {
    const { reads, visits, live, step, checkpoint, device } = stage();
    void streamingStore(checkpoint, device).run([step(a), step(b), step(c)]);
    await settle();
    reads.get('a')!.finish();
    await settle();
    const [present] = live.values();
    reads.get('b')!.finish(); // overwrites whatever memory it was given
    await settle();
    expect([...present!]).toEqual([97, 97, 97, 97]);
    visits.get('a')!.finish();
    await settle();
    reads.get('c')!.finish();
    await settle();
    expect([...live.values()].map((data) => [...data])).toEqual([[98, 98, 98, 98, 98, 98]]);
  });

  it('uses the same two buffers for one run after another', async () => {
    const { reads, visits, live, step, checkpoint, device } = stage();
    const store = streamingStore(checkpoint, device);
    const buffers = new Set<ArrayBufferLike>();
    for (let pass = 0; pass < 3; pass++) {
      const run = store.run([step(b), step(a), step(c)]);
      for (const key of ['b', 'a', 'c']) {
        await settle();
        reads.get(key)!.finish();
        await settle();
        for (const data of live.values()) buffers.add(data.buffer);
        visits.get(key)!.finish();
      }
      await run;
    }
    expect(buffers.size).toBe(2);
  });

  it('waits for the read in flight when a visit fails, and leaves no tensor behind', async () => {
    const { log, reads, visits, live, step, checkpoint, device } = stage();
    const run = outcome(streamingStore(checkpoint, device).run([step(a), step(b), step(c)]));
    await settle();
    reads.get('a')!.finish();
    await settle();
    visits.get('a')!.fail(new Error('visit failed'));
    await settle();
    expect(run.is).toBe('pending');
    reads.get('b')!.finish();
    await settle();
    expect(run.is).toBe('visit failed');
    expect(live.size).toBe(0);
    expect(log).not.toContain('read c');
  });

  it('tells the visit that failed, though the read in flight fails too', async () => {
    const { reads, visits, live, step, checkpoint, device } = stage();
    const run = outcome(streamingStore(checkpoint, device).run([step(a), step(b)]));
    await settle();
    reads.get('a')!.finish();
    await settle();
    visits.get('a')!.fail(new Error('visit failed'));
    await settle();
    reads.get('b')!.fail(new Error('read failed'));
    await settle();
    expect([run.is, live.size]).toEqual(['visit failed', 0]);
  });

  // A promise that fails before anyone waits for it would end the process: vitest counts such as errors.
  it('tells a read that failed during a visit, once the visit is over', async () => {
    const { log, reads, visits, live, step, checkpoint, device } = stage();
    const run = outcome(streamingStore(checkpoint, device).run([step(a), step(b), step(c)]));
    await settle();
    reads.get('a')!.finish();
    await settle();
    reads.get('b')!.fail(new Error('read failed'));
    await settle();
    expect(run.is).toBe('pending');
    visits.get('a')!.finish();
    await settle();
    expect([run.is, live.size]).toEqual(['read failed', 0]);
    expect(log.filter((line) => line.startsWith('visit'))).toHaveLength(1);
  });

  it('can be run again after an error', async () => {
    const { reads, visits, step, checkpoint, device } = stage();
    const store = streamingStore(checkpoint, device);
    const first = outcome(store.run([step(a)]));
    await settle();
    reads.get('a')!.fail(new Error('read failed'));
    await settle();
    expect(first.is).toBe('read failed');
    const second = outcome(store.run([step(a)]));
    await settle();
    reads.get('a')!.finish();
    await settle();
    visits.get('a')!.finish();
    await settle();
    expect(second.is).toBe('done');
  });

  it('brings nothing in beforehand', async () => {
    const { log, checkpoint, device } = stage();
    await streamingStore(checkpoint, device).preload([a, b]);
    expect(log).toEqual([]);
  });
});

describe('resident', () => {
  it('reads every group once, whenever it is first needed, and lets go of it at the end', async () => {
    const { log, reads, visits, live, step, checkpoint, device } = stage();
    const store = residentStore(checkpoint, device);
    const preloaded = outcome(store.preload([a, b]));
    for (const key of ['a', 'b']) {
      await settle();
      reads.get(key)!.finish();
    }
    await settle();
    expect([preloaded.is, ...log.splice(0)]).toEqual(['done', 'read a', 'read b']);
    for (const first of [['read c'], []]) {
      const run = outcome(store.run([step(a), step(c), step(b)]));
      for (const key of ['a', 'c', 'b']) {
        await settle();
        if (key === 'c') reads.get('c')!.finish();
        await settle();
        visits.get(key)!.finish();
      }
      await settle();
      expect(run.is).toBe('done');
      expect(log.splice(0)).toEqual([...first, 'visit a 97', 'visit c 99', 'visit b 98']);
    }
    expect(live.size).toBe(3);
    store[Symbol.dispose]();
    expect(live.size).toBe(0);
  });
});

describe('some groups stay', () => {
  it('and are read once, while the others are read for each visit, beside the visit before', async () => {
    const { log, reads, visits, live, step, checkpoint, device, most } = stage();
    const store = openWeightStore(checkpoint, device, ({ key }) => key === 'b');
    const turns = [
      ['read a', 'read b', 'visit a 97', 'read c', 'visit b 98', 'read a', 'visit c 99', 'visit b 98', 'visit a 97'],
      ['read a', 'read c', 'visit a 97', 'visit b 98', 'read a', 'visit c 99', 'visit b 98', 'visit a 97'],
    ];
    for (const expected of turns) {
      const run = outcome(store.run([step(a), step(b), step(c), step(b), step(a)]));
      for (const key of ['a', 'b', 'c', 'b', 'a']) {
        await settle();
        for (const [read, { finish }] of reads) {
          reads.delete(read);
          finish();
        }
        await settle();
        visits.get(key)!.finish();
      }
      await settle();
      expect(run.is).toBe('done');
      expect(log.splice(0)).toEqual(expected);
      expect([live.size, most()]).toEqual([1, 2]);
    }
    store[Symbol.dispose]();
    expect(live.size).toBe(0);
  });

  it('and keep their numbers though others are read after them', async () => {
    const { reads, visits, live, step, checkpoint, device } = stage();
    const store = openWeightStore(checkpoint, device, ({ key }) => key === 'b');
    void store.run([step(a), step(b), step(c), step(a)]);
    for (const key of ['a', 'b', 'c', 'a']) {
      await settle();
      for (const { finish } of reads.values()) finish();
      await settle();
      visits.get(key)!.finish();
    }
    await settle();
    expect([...live.values()].map((data) => [...new Set(data)])).toEqual([[98]]);
  });

  it.each(['webgpu', 'cpu'] as const)(
    'and are read into the buffers of the others where they are copied: %s',
    async (provider) => {
      const { reads, visits, live, step, checkpoint, device } = stage(provider);
      const store = openWeightStore(checkpoint, device, () => true);
      const buffers = new Set<ArrayBufferLike>();
      const run = store.run([step(a), step(c), step(b), step(group('d'))]);
      for (const key of ['a', 'c', 'b', 'd']) {
        await settle();
        reads.get(key)!.finish();
        await settle();
        visits.get(key)!.finish();
      }
      await run;
      for (const data of live.values()) buffers.add(data.buffer);
      expect(buffers.size).toBe(provider === 'cpu' ? 4 : 2);
    },
  );
});

describe('groups', () => {
  const config = readModelConfig({
    model_type: 'qwen2',
    hidden_size: 8,
    intermediate_size: 12,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: 100,
    tie_word_embeddings: false,
  });
  const shapes = weightShapes(config);

  it('of a block hold its weights under the names of its inputs', () => {
    const { key, parts } = blockGroup(config, 1);
    expect(key).toBe('block 1');
    for (const { input, weight, shape, firstRow } of parts) {
      expect(weight).toBe(`model.layers.1.${input}`);
      expect([shape, firstRow]).toEqual([shapes.get(weight), null]);
    }
    const named = [...shapes.keys()].filter((name) => name.startsWith('model.layers.1.'));
    expect(parts.map(({ weight }) => weight).sort()).toEqual(named.sort());
  });

  const rows: [number, [number, number][]][] = [
    [100, [[0, 100]]],
    [256, [[0, 100]]],
    // biome-ignore format: a row
    [32, [[0, 32], [32, 32], [64, 32], [96, 4]]],
    // biome-ignore format: a row
    [50, [[0, 50], [50, 50]]],
  ];
  it.each(rows)('of the head hold every row once: slices of %i', (sliceRows, expected) => {
    const groups = headGroups(config, sliceRows);
    expect(groups.map(({ parts }) => [parts[0]!.firstRow, parts[0]!.shape[0]])).toEqual(expected);
    expect(new Set(groups.map(({ key }) => key)).size).toBe(groups.length);
    expect(groups.reduce((sum, each) => sum + groupSize(each), 0)).toBe(100 * 8);
    expect(groups[0]!.parts[0]!.weight).toBe('lm_head.weight');
    expect(headGroups({ ...config, tiedEmbeddings: true }, sliceRows)[0]!.parts[0]!.weight).toBe(
      'model.embed_tokens.weight',
    );
  });

  it('of the head are read by rows', async () => {
    const { log, reads, visits, step, checkpoint, device } = stage();
    const run = outcome(streamingStore(checkpoint, device).run(headGroups(config, 64).map(step)));
    for (const [read, key] of [
      ['lm_head.weight 0+64', 'head 0+64'],
      ['lm_head.weight 64+36', 'head 64+36'],
    ] as const) {
      await settle();
      reads.get(read)!.finish();
      await settle();
      visits.get(key)!.finish();
    }
    await settle();
    expect(run.is).toBe('done');
    expect(log.filter((line) => line.startsWith('read'))).toEqual([
      'read lm_head.weight 0+64',
      'read lm_head.weight 64+36',
    ]);
  });
});
