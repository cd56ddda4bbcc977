// Scopes and the keys of programs: what is given back when, and when two graphs share a program.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { add } from '../../server/graph/ops/elementwise';
import { dependsOn, type Graph, input, scalar } from '../../server/graph/value';
import { type Device, openDevice, type Scope } from '../../server/runtime/device';
import { openProgramKeys } from '../../server/runtime/programKey';

let device: Device;
beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
afterAll(() => device.close());

const upload = (scope: Scope) => scope.upload(Float32Array.of(1, 2), [2], 'result');
const alive = () => device.alive().length;
const plus = (length: number, by: number): Graph => ({
  name: 'plus',
  outputs: { out: add(input('x', [length]), scalar(by)) },
});

describe('a scope', () => {
  it('gives back what was made in it, at its end', async () => {
    {
      using scope = device.scope();
      await scope.run(await scope.program(plus, 2, 1), { x: await upload(scope) });
      expect(alive()).toBe(2);
    }
    expect(alive()).toBe(0);
  });

  it('gives back what was made in it when something is thrown', async () => {
    const work = async () => {
      using scope = device.scope();
      await upload(scope);
      throw new Error('in between');
    };
    await expect(work()).rejects.toThrow('in between');
    expect(alive()).toBe(0);
  });

  it('leaves what a scope around it has adopted', async () => {
    using outer = device.scope();
    {
      using inner = outer.scope();
      const [kept, other] = [await upload(inner), await upload(inner)];
      outer.adopt(kept);
      expect(other.shape).toEqual([2]);
    }
    expect(alive()).toBe(1);
  });

  it('ends the scopes inside it', async () => {
    {
      using outer = device.scope();
      await upload(outer.scope().scope());
      expect(alive()).toBe(1);
    }
    expect(alive()).toBe(0);
  });

  it('gives back early what is its own, and nothing of others', async () => {
    using outer = device.scope();
    using inner = outer.scope();
    const [own, others] = [await upload(inner), await upload(outer)];
    inner.release(own, others, undefined);
    inner.release(own);
    expect(device.alive()).toEqual([others]);
  });

  it('cannot adopt what was given back', async () => {
    using scope = device.scope();
    const tensor = await upload(scope);
    scope.release(tensor);
    device.adopt(tensor);
    expect(alive()).toBe(0);
  });

  it('that is forgotten is told when the device is closed', async () => {
    const own = await openDevice({ provider: 'cpu', threads: 1 });
    await upload(own.scope());
    await expect(own.close()).rejects.toThrow('1 tensors were alive when their device was closed: result float32 [2]');
  });
});

describe('keys of programs', () => {
  const keys = openProgramKeys();
  const key = (...args: unknown[]) => keys.of(plus, args);

  it.each<[string, unknown, unknown]>([
    ['the order of properties', { a: 1, b: [2] }, { b: [2], a: 1 }],
    ['what is undefined', { a: 1, b: undefined }, { a: 1 }],
    ['another object alike', { a: { b: 'x' } }, { a: { b: 'x' } }],
    [
      'what a graph does not depend on',
      { block: 3, [dependsOn]: 'sequence 4' },
      { block: 9, [dependsOn]: 'sequence 4' },
    ],
    ['maps of the same entries', new Map([['q', { rank: 8 }]]), new Map([['q', { rank: 8 }]])],
  ])('do not tell apart %s', (_, a, b) => expect(key(a)).toBe(key(b)));

  it.each<[string, unknown, unknown]>([
    ['numbers', 1, 2],
    ['a number and its text', 1, '1'],
    ['null and undefined', null, undefined],
    ['lists cut elsewhere', [['a'], 'b'], ['a', ['b']]],
    ['what a graph depends on', { block: 3, [dependsOn]: 4 }, { block: 3, [dependsOn]: 5 }],
    ['long texts that differ at their end', `${'x'.repeat(999)}a`, `${'x'.repeat(999)}b`],
    ['maps', new Map([['q', 1]]), new Map([['q', 2]])],
    ['functions', add, scalar],
  ])('tell apart %s', (_, a, b) => expect(key({ of: a })).not.toBe(key({ of: b })));

  it('have a short number for what is long', () =>
    expect(key({ config: Array.from({ length: 500 }, (_, i) => i) }).length).toBeLessThan(50));

  it.each<[string, () => string, string]>([
    ['a function without a name', () => keys.of((() => plus(1, 1)) as never, []), 'without a name'],
    ['two functions of one name', () => openTwice(), 'two functions are called plus'],
    ['numbers of a tensor', () => key(new Float32Array(2)), 'numbers and sets cannot be part of a key'],
  ])('refuse %s', (_, make, message) => expect(make).toThrow(message));

  const openTwice = () => {
    const other = { plus: () => plus(1, 1) };
    key(1);
    return keys.of(other.plus, [1]);
  };
});

describe('the check of programs', () => {
  it('finds an argument that a graph depends on though it does not say so', async () => {
    const offset = (by: { readonly value: number }) => plus(2, by.value);
    await device.program(offset, { value: 1, [dependsOn]: 'any' });
    expect(() => device.program(offset, { value: 3, [dependsOn]: 'any' })).toThrow('two graphs under the key offset');
  });

  it('finds a function whose graph depends on more than its arguments', async () => {
    let hidden = 1;
    const dishonest = (length: number) => plus(length, hidden);
    await device.program(dishonest, 2);
    hidden = 2;
    expect(() => device.program(dishonest, 2)).toThrow(/two graphs under the key dishonest\(2\): ".*1\)?.*" and ".*2/);
  });
});
