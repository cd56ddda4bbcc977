// The device: what its handles allow, what it counts, what it keeps, and how it says no.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import { add, toFloat } from '../../server/graph/ops/elementwise';
import { linear } from '../../server/graph/ops/linear';
import { apply, type Graph, input, type Op, scalar, type Value } from '../../server/graph/value';
import { type Device, openDevice } from '../../server/runtime/device';

const x = (...shape: number[]) => input('x', shape);
const of = (out: Value, name = 'tested'): Graph => ({ name, outputs: { out } });
const onePlus = (length: number) => of(add(x(length), scalar(1)));

let device: Device;
beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
afterAll(() => device.close());
const upload = (...values: number[]) => device.upload(Float32Array.from(values), [values.length], 'result');
const plus = (length: number) => device.program(`plus ${length}`, () => onePlus(length));

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'accepted',
    (error: unknown) => (isUserError(error) ? `${error.code}: ${error.message}` : `${error}`),
  );

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

describe('a handle', () => {
  it('tells shape, dtype, role and bytes', async () => {
    expect(await device.upload(new Float32Array(6), [2, 3], 'weight')).toMatchObject({
      shape: [2, 3],
      dtype: 'float32',
      role: 'weight',
      nBytes: 24,
    });
    const ids = await device.upload(new BigInt64Array(6), [2, 3], 'table');
    expect(ids).toMatchObject({ dtype: 'int64', role: 'table', nBytes: 48 });
    const program = await device.program('toFloat', () => of(toFloat(input('x', [2, 3], 'int64'))));
    const { out } = await device.run(program, { x: ids });
    expect(out).toMatchObject({ shape: [2, 3], dtype: 'float32', role: 'result', nBytes: 24 });
  });

  it('does not show its elements', async () =>
    expect(Object.values(await upload(1, 2)).some((value) => ArrayBuffer.isView(value))).toBe(false));

  it('that was disposed cannot be run', async () => {
    const tensor = await upload(1, 2);
    tensor.dispose();
    expect(await failure(device.run(await plus(2), { x: tensor }))).toBe(
      'Error: tested needs the tensor x, which was disposed',
    );
  });
  it('that was disposed cannot be read', async () => {
    const { out } = await device.run(await plus(2), { x: await upload(1, 2) });
    out!.dispose();
    expect(await failure(device.read(out!))).toBe('Error: a disposed tensor cannot be read');
  });
  it('that is missing is named', async () =>
    expect(await failure(device.run(await plus(2), {}))).toBe('Error: tested needs the tensor x, which was not given'));
  it('that the program does not name is not looked at', async () => {
    const [tensor, other] = [await upload(1, 2), await upload(3)];
    other.dispose();
    const { out } = await device.run(await plus(2), { x: tensor, other });
    expect([...(await device.read(out!))]).toEqual([2, 3]);
  });
  it('may be disposed twice, and gives its memory back once', async () => {
    const { out } = await device.run(await plus(3), { x: await upload(1, 2, 3) });
    out!.dispose();
    out!.dispose();
    const first = (await device.run(await plus(3), { x: await upload(1, 2, 3) })).out!;
    const second = (await device.run(await plus(3), { x: await upload(4, 5, 6) })).out!;
    expect([...(await device.read(first))]).toEqual([2, 3, 4]);
    expect([...(await device.read(second))]).toEqual([5, 6, 7]);
  });
});

describe('reading', () => {
  it('gives a copy', async () => {
    const tensor = await upload(1, 2, 3);
    (await device.read(tensor)).fill(0);
    expect([...(await device.read(tensor))]).toEqual([1, 2, 3]);
  });
  it('gives what stays when the tensor is disposed and its memory used again', async () => {
    const first = (await device.run(await plus(2), { x: await upload(1, 2) })).out!;
    const read = await device.read(first);
    first.dispose();
    await device.run(await plus(2), { x: await upload(8, 9) });
    expect([...read]).toEqual([2, 3]);
  });
});

describe('results', () => {
  // onnxruntime-node gives back a copy of every result beside the buffer it was handed: garbage, which goes in its time.
  it('leave nothing behind after a hundred runs', async () => {
    const length = 250_000;
    const program = await plus(length);
    const tensor = await device.upload(new Float32Array(length), [length], 'result');
    const runs = async (n: number) => {
      for (let i = 0; i < n; i++) (await device.run(program, { x: tensor })).out!.dispose();
    };
    await runs(1);
    const before = process.memoryUsage().arrayBuffers;
    await runs(100);
    const grown = () => {
      collectGarbage();
      return process.memoryUsage().arrayBuffers - before;
    };
    await expect.poll(grown, { timeout: 10_000 }).toBeLessThan(4 * length);
  });
  it('of one run can feed the next', async () => {
    let tensor = await upload(0, 0, 0, 0);
    for (let i = 0; i < 10; i++) {
      const { out } = await device.run(await plus(4), { x: tensor });
      tensor.dispose();
      tensor = out!;
    }
    expect([...(await device.read(tensor))]).toEqual([10, 10, 10, 10]);
  });
  it('that live at the same time do not share memory', async () => {
    const made = [];
    for (const value of [1, 2, 3]) made.push((await device.run(await plus(1), { x: await upload(value) })).out!);
    expect(await Promise.all(made.map(async (tensor) => [...(await device.read(tensor))]))).toEqual([[2], [3], [4]]);
  });
  it('under several names are all there', async () => {
    const sum = add(x(2), x2);
    const program = await device.program('several', () => ({ name: 'several', outputs: { sum, again: sum, x2 } }));
    const results = await device.run(program, { x: await upload(1, 2), x2in: await upload(3, 4) });
    const read = Object.entries(results).map(async ([name, tensor]) => [name, [...(await device.read(tensor))]]);
    expect(Object.fromEntries(await Promise.all(read))).toEqual({ sum: [4, 6], again: [4, 6], x2: [3, 4] });
  });
  const x2 = input('x2in', [2]);
});

describe('counts', () => {
  it('say what was run and what crossed', async () => {
    const counted = await openDevice({ provider: 'cpu', threads: 1 });
    expect(counted.counts).toEqual({
      uploadedBytes: 0,
      readBytes: { weight: 0, table: 0, result: 0 },
      runs: 0,
      compileMs: 0,
    });
    const program = await counted.program('linear', () => of(linear(x(2, 3), input('w', [4, 3]))));
    expect(counted.counts.compileMs).toBeGreaterThan(0);
    const given = {
      x: await counted.upload(new Float32Array(6), [2, 3], 'table'),
      w: await counted.upload(new Float32Array(12), [4, 3], 'weight'),
    };
    const { out } = await counted.run(program, given);
    await counted.run(program, given);
    await counted.read(out!);
    await counted.read(given.x);
    expect(counted.counts).toMatchObject({
      uploadedBytes: 72,
      readBytes: { weight: 0, table: 24, result: 32 },
      runs: 2,
    });
    await counted.close();
  });
});

describe('programs', () => {
  it('are compiled once for a key, also when asked for twice at the same time', async () => {
    let built = 0;
    const build = () => {
      built++;
      return onePlus(7);
    };
    const [first, second] = await Promise.all([device.program('once', build), device.program('once', build)]);
    expect(first).toBe(second);
    expect(await device.program('once', build)).toBe(first);
    expect(built).toBe(1);
    expect(await device.program('another', build)).not.toBe(first);
  });
  it('tell their inputs and outputs', async () =>
    expect(await plus(5)).toMatchObject({
      name: 'tested',
      inputs: [{ name: 'x', shape: [5], dtype: 'float32' }],
      outputs: { out: { shape: [5], dtype: 'float32' } },
    }));
  it('are compiled anew after they were forgotten, and tensors outlive them', async () => {
    const own = await openDevice({ provider: 'cpu', threads: 1 });
    const first = await own.program('p', () => onePlus(2));
    const { out } = await own.run(first, { x: await own.upload(Float32Array.of(1, 2), [2], 'result') });
    await own.forgetPrograms();
    const second = await own.program('p', () => onePlus(2));
    expect(second).not.toBe(first);
    expect([...(await own.read((await own.run(second, { x: out! })).out!))]).toEqual([3, 4]);
    await own.close();
  });
});

describe('refused', () => {
  const NoSuchOp: Op = { name: 'NoSuchOp', shape: ([s]) => s!, emit: (to, inputs) => to.node('NoSuchOp', inputs) };
  const Misshapen: Op = { name: 'Misshapen', shape: () => [5], emit: (to, inputs) => to.node('Neg', inputs) };
  const unknown = of(apply(NoSuchOp, [x(2)], undefined), 'strange');

  it('a graph that onnxruntime does not know how to run', async () => {
    const found = await failure(device.program('unknown', () => unknown));
    expect(found).toMatch(/^device: The cpu device cannot run the graph strange: .*NoSuchOp/);
    expect(found).not.toMatch(/\n/);
  });
  it('again for the same key', async () =>
    expect(await failure(device.program('unknown', () => unknown))).toMatch(/^device: /));
  it('a graph that is not well formed, before onnxruntime sees it', async () =>
    expect(await failure(device.program('empty', () => ({ name: 'empty', outputs: {} })))).toBe(
      'Error: graph empty: there is an output, but none',
    ));
  it('a shape that an op predicts wrongly', async () => {
    const program = device.program('misshapen', () => of(apply(Misshapen, [x(2)], undefined)));
    const run = async () => device.run(await program, { x: await upload(1, 2) });
    expect(await failure(run())).not.toBe('accepted');
  });
});
