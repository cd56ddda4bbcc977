// The device: what its handles allow, what it counts, what it keeps, and how it says no.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import { add, toFloat } from '../../server/graph/ops/elementwise';
import { linear } from '../../server/graph/ops/linear';
import { apply, type Graph, input, type Op, scalar, type Value } from '../../server/graph/value';
import { type Device, openDevice, type Scope } from '../../server/runtime/device';
import { checksPrograms } from '../../server/runtime/trace';

const x = (...shape: number[]) => input('x', shape);
const of = (out: Value, name = 'tested'): Graph => ({ name, outputs: { out } });
const onePlus = (length: number) => of(add(x(length), scalar(1)));
const timesWeight = () => of(linear(x(2, 3), input('w', [4, 3])));

let device: Device;
beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
afterAll(() => device.close());
let scope: Scope;
beforeEach(() => void (scope = device.scope()));
afterEach(() => scope[Symbol.dispose]());
const upload = (...values: number[]) => scope.upload(Float32Array.from(values), [values.length], 'result');
const plus = (length: number) => device.program(onePlus, length);

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'accepted',
    (error: unknown) => (isUserError(error) ? `${error.code}: ${error.message}` : `${error}`),
  );

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

describe('a handle', () => {
  it('tells shape, dtype, role and bytes', async () => {
    expect(await scope.upload(new Float32Array(6), [2, 3], 'weight')).toMatchObject({
      shape: [2, 3],
      dtype: 'float32',
      role: 'weight',
      nBytes: 24,
    });
    const ids = await scope.upload(new BigInt64Array(6), [2, 3], 'table');
    expect(ids).toMatchObject({ dtype: 'int64', role: 'table', nBytes: 48 });
    const program = await device.compile(of(toFloat(input('x', [2, 3], 'int64'))));
    const { out } = await scope.run(program, { x: ids });
    expect(out).toMatchObject({ shape: [2, 3], dtype: 'float32', role: 'result', nBytes: 24 });
  });

  it('does not show its elements', async () =>
    expect(Object.values(await upload(1, 2)).some((value) => ArrayBuffer.isView(value))).toBe(false));

  it('that was given back cannot be run', async () => {
    const tensor = await upload(1, 2);
    scope.release(tensor);
    expect(await failure(scope.run(await plus(2), { x: tensor }))).toBe(
      'Error: tested needs the tensor x, which was given back',
    );
  });
  it('that was given back cannot be read', async () => {
    const { out } = await scope.run(await plus(2), { x: await upload(1, 2) });
    scope.release(out!);
    expect(await failure(scope.read(out!))).toBe('Error: a tensor that was given back cannot be read');
  });
  it('that is missing is named', async () =>
    expect(await failure(scope.run(await plus(2), {}))).toBe('Error: tested needs the tensor x, which was not given'));
  it('that the program does not name is not looked at', async () => {
    const [tensor, other] = [await upload(1, 2), await upload(3)];
    scope.release(other);
    const { out } = await scope.run(await plus(2), { x: tensor, other });
    expect([...(await scope.read(out!))]).toEqual([2, 3]);
  });
  it('may be given back twice, and gives its memory back once', async () => {
    const { out } = await scope.run(await plus(3), { x: await upload(1, 2, 3) });
    scope.release(out!);
    scope.release(out!);
    const first = (await scope.run(await plus(3), { x: await upload(1, 2, 3) })).out!;
    const second = (await scope.run(await plus(3), { x: await upload(4, 5, 6) })).out!;
    expect([...(await scope.read(first))]).toEqual([2, 3, 4]);
    expect([...(await scope.read(second))]).toEqual([5, 6, 7]);
  });
});

describe('reading', () => {
  it('gives a copy', async () => {
    const tensor = await upload(1, 2, 3);
    (await scope.read(tensor)).fill(0);
    expect([...(await scope.read(tensor))]).toEqual([1, 2, 3]);
  });
  it('gives doubles with all their digits, and as nothing else', async () => {
    const [a, b] = [1 + 2 ** -50, 3];
    const doubles = await scope.upload(Float64Array.of(a, b), [2], 'result');
    expect(doubles).toMatchObject({ dtype: 'float64', nBytes: 16 });
    const x = input('x', [2], 'float64');
    const { out } = await scope.run(await device.compile(of(add(x, x))), { x: doubles });
    expect([...(await scope.readDoubles(out!))]).toEqual([2 * a, 2 * b]);
    expect(await failure(scope.read(out!))).toBe('Error: a tensor of float64 cannot be read as float32');
    expect(await failure(scope.readDoubles(await upload(1)))).toBe(
      'Error: a tensor of float32 cannot be read as float64',
    );
  });
  it('gives what stays when the tensor is given back and its memory used again', async () => {
    const first = (await scope.run(await plus(2), { x: await upload(1, 2) })).out!;
    const read = await scope.read(first);
    scope.release(first);
    await scope.run(await plus(2), { x: await upload(8, 9) });
    expect([...read]).toEqual([2, 3]);
  });
});

describe('results', () => {
  // onnxruntime-node gives back a copy of every result beside the buffer it was handed: garbage, which goes in its time.
  it('leave nothing behind after a hundred runs', async () => {
    const length = 250_000;
    const program = await plus(length);
    const tensor = await scope.upload(new Float32Array(length), [length], 'result');
    const runs = async (n: number) => {
      for (let i = 0; i < n; i++) scope.release((await scope.run(program, { x: tensor })).out);
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
      const { out } = await scope.run(await plus(4), { x: tensor });
      scope.release(tensor);
      tensor = out!;
    }
    expect([...(await scope.read(tensor))]).toEqual([10, 10, 10, 10]);
  });
  it('that live at the same time do not share memory', async () => {
    const made = [];
    for (const value of [1, 2, 3]) made.push((await scope.run(await plus(1), { x: await upload(value) })).out!);
    expect(await Promise.all(made.map(async (tensor) => [...(await scope.read(tensor))]))).toEqual([[2], [3], [4]]);
  });
  it('under several names are all there', async () => {
    const sum = add(x(2), x2);
    const program = await device.compile({ name: 'several', outputs: { sum, again: sum, x2 } });
    const results = await scope.run(program, { x: await upload(1, 2), x2in: await upload(3, 4) });
    const read = Object.entries(results).map(async ([name, tensor]) => [name, [...(await scope.read(tensor))]]);
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
      programHits: 0,
      programMisses: 0,
      liveTensors: 0,
      liveBytes: 0,
      peakBytes: 0,
      peakWithInsideBytes: 0,
    });
    const program = await counted.program(timesWeight);
    expect(counted.counts.compileMs).toBeGreaterThan(0);
    const given = {
      x: await counted.upload(new Float32Array(6), [2, 3], 'table'),
      w: await counted.upload(new Float32Array(12), [4, 3], 'weight'),
    };
    const { out } = await counted.run(program, given);
    counted.release((await counted.run(await counted.program(timesWeight), given)).out);
    await counted.read(out!);
    await counted.read(given.x);
    expect(counted.counts).toMatchObject({
      uploadedBytes: 72,
      readBytes: { weight: 0, table: 24, result: 32 },
      runs: 2,
      programHits: 1,
      programMisses: 1,
      liveTensors: 3,
      liveBytes: 72 + 32,
      peakBytes: 72 + 64,
      peakWithInsideBytes: 72 + 64,
    });
    counted.release(out, given.x, given.w);
    expect(counted.counts).toMatchObject({ liveTensors: 0, liveBytes: 0, peakBytes: 72 + 64 });
    await counted.close();
  });
});

describe('programs', () => {
  it('are compiled once for a function and its arguments, also when asked for twice at the same time', async () => {
    let built = 0;
    const counting = (length: number) => {
      built++;
      return onePlus(length);
    };
    const before = device.counts.programMisses;
    const [first, second] = await Promise.all([device.program(counting, 7), device.program(counting, 7)]);
    expect(first).toBe(second);
    expect(device.counts.programMisses).toBe(before + 1);
    expect(built).toBe(checksPrograms ? 3 : 1); // the check builds at the first two uses
    expect(await device.program(counting, 8)).not.toBe(first);
  });
  it('tell their inputs and outputs', async () =>
    expect(await plus(5)).toMatchObject({
      name: 'tested',
      inputs: [{ name: 'x', shape: [5], dtype: 'float32' }],
      outputs: { out: { shape: [5], dtype: 'float32' } },
    }));
  it('are compiled anew after they were forgotten, and tensors outlive them', async () => {
    const own = await openDevice({ provider: 'cpu', threads: 1 });
    const first = await own.program(onePlus, 2);
    using inner = own.scope();
    const { out } = await inner.run(first, { x: await inner.upload(Float32Array.of(1, 2), [2], 'result') });
    await own.forgetPrograms();
    const second = await own.program(onePlus, 2);
    expect(second).not.toBe(first);
    expect([...(await inner.read((await inner.run(second, { x: out! })).out!))]).toEqual([3, 4]);
    inner[Symbol.dispose]();
    await own.close();
  });
});

describe('refused', () => {
  const NoSuchOp: Op = { name: 'NoSuchOp', shape: ([s]) => s!, emit: (to, inputs) => to.node('NoSuchOp', inputs) };
  const Misshapen: Op = { name: 'Misshapen', shape: () => [5], emit: (to, inputs) => to.node('Neg', inputs) };
  const unknown = () => of(apply(NoSuchOp, [x(2)], undefined), 'strange');
  const empty = () => ({ name: 'empty', outputs: {} });

  it('a graph that onnxruntime does not know how to run', async () => {
    const found = await failure(device.program(unknown));
    expect(found).toMatch(/^device: The cpu device cannot run the graph strange: .*NoSuchOp/);
    expect(found).not.toMatch(/\n/);
  });
  it('again for the same key', async () => expect(await failure(device.program(unknown))).toMatch(/^device: /));
  it('a graph that is not well formed, before onnxruntime sees it', async () =>
    expect(await failure(device.program(empty))).toBe('Error: graph empty: there is an output, but none'));
  it('a shape that an op predicts wrongly', async () => {
    const program = device.compile(of(apply(Misshapen, [x(2)], undefined)));
    const run = async () => scope.run(await program, { x: await upload(1, 2) });
    expect(await failure(run())).not.toBe('accepted');
  });
});
