// Widening is exact and narrowing goes to the nearest, held against values known by heart and against exact arithmetic.
import fc from 'fast-check';
import { notFiniteIn } from '../../server/checkpoint/notFiniteWeight';
import { describe, expect, it } from 'vitest';
import { narrowInto, roundInto, widenInPlace, widenInto } from '../../server/checkpoint/dtype';

type Sixteen = 'F16' | 'BF16';

const widen = (dtype: Sixteen, bits: number) => {
  const target = new Float32Array(1);
  widenInto(dtype, Uint16Array.of(bits), target);
  return target[0]!;
};
const narrow = (dtype: Sixteen, value: number) => {
  const target = new Uint16Array(1);
  const nOverflowed = narrowInto(dtype, Float32Array.of(value), target);
  return { bits: target[0]!, nOverflowed };
};

describe('known values', () => {
  const rows: [Sixteen, number, number][] = [
    ['F16', 0x0000, 0],
    ['F16', 0x8000, -0],
    ['F16', 0x3c00, 1],
    ['F16', 0xc000, -2],
    ['F16', 0x3555, 0.333251953125],
    ['F16', 0x7bff, 65504],
    ['F16', 0x0400, 2 ** -14],
    ['F16', 0x03ff, 1023 * 2 ** -24],
    ['F16', 0x0001, 2 ** -24],
    ['F16', 0x7c00, Infinity],
    ['F16', 0xfc00, -Infinity],
    ['BF16', 0x0000, 0],
    ['BF16', 0x8000, -0],
    ['BF16', 0x3f80, 1],
    ['BF16', 0x4049, 3.140625],
    ['BF16', 0x7f7f, 3.3895313892515355e38],
    ['BF16', 0x0001, 2 ** -133],
    ['BF16', 0x7f80, Infinity],
    ['BF16', 0xff80, -Infinity],
  ];
  it.each(rows)('%s %i is %f both ways', (dtype, bits, value) => {
    expect(widen(dtype, bits)).toBe(value);
    expect(narrow(dtype, value)).toEqual({ bits, nOverflowed: 0 });
  });
});

describe('rounding', () => {
  const rows: [string, Sixteen, number, number, number][] = [
    ['half a unit above an even one stays', 'F16', 1 + 2 ** -11, 0x3c00, 0],
    ['half a unit above an odd one goes up', 'F16', 1 + 3 * 2 ** -11, 0x3c02, 0],
    ['a little more than half goes up', 'F16', 1 + 2 ** -11 + 2 ** -20, 0x3c01, 0],
    ['into the next exponent', 'F16', 2 - 2 ** -12, 0x4000, 0],
    ['half of the smallest is even zero', 'F16', 2 ** -25, 0, 0],
    ['more than half of the smallest', 'F16', 2 ** -25 + 2 ** -30, 1, 0],
    ['a subnormal tie to even', 'F16', 1.5 * 2 ** -24, 2, 0],
    ['out of the subnormals', 'F16', 1023.75 * 2 ** -24, 0x0400, 0],
    ['just below the largest', 'F16', 65519.99609375, 0x7bff, 0],
    ['just above the largest', 'F16', 65520, 0x7c00, 1],
    ['far above, negative', 'F16', -1e30, 0xfc00, 1],
    ['a tie to even', 'BF16', 1 + 2 ** -8, 0x3f80, 0],
    ['a tie to even, upwards', 'BF16', 1 + 3 * 2 ** -8, 0x3f82, 0],
    ['above the largest', 'BF16', 3.4028234663852886e38, 0x7f80, 1],
  ];
  it.each(rows)('%s (%s)', (_, dtype, value, bits, nOverflowed) =>
    expect(narrow(dtype, value)).toEqual({ bits, nOverflowed }),
  );
});

describe('properties', () => {
  it.each(['F16', 'BF16'] as const)('every %s survives widening and narrowing', (dtype) => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const floats = new Float32Array(65536);
    const back = new Uint16Array(65536);
    widenInto(dtype, all, floats);
    expect(narrowInto(dtype, floats, back)).toBe(0);
    const quietBit = dtype === 'F16' ? 0x200 : 0x40;
    for (let i = 0; i < 65536; i++) {
      if (Number.isNaN(floats[i])) expect(back[i]).toBe(i | quietBit);
      else if (back[i] !== i) expect(back[i]).toBe(i);
    }
  });

  it.each(['F16', 'BF16'] as const)('no other %s is nearer', (dtype) => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const { bits } = narrow(dtype, value);
        const distance = (b: number) => Math.abs(widen(dtype, b) - value);
        if ((bits & 0x7fff) === (dtype === 'F16' ? 0x7c00 : 0x7f80)) return;
        const own = distance(bits);
        for (const other of [bits - 1, bits + 1]) {
          if (((other ^ bits) & 0x8000) !== 0 || other < 0) continue;
          expect(own).toBeLessThanOrEqual(distance(other));
          if (own === distance(other)) expect(bits & 1).toBe(0);
        }
      }),
      { seed: 1, numRuns: 5000 },
    );
  });

  it('BF16 is the upper half of an f32, as a DataView sees it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (bits) => {
        const view = new DataView(new ArrayBuffer(4));
        view.setUint16(2, bits, true);
        expect(widen('BF16', bits)).toBe(view.getFloat32(0, true));
      }),
      { seed: 2, numRuns: 2000 },
    );
  });

  it.each(['F16', 'BF16'] as const)('%s widens in place as it does from a second buffer', (dtype) => {
    fc.assert(
      fc.property(fc.uint16Array({ maxLength: 50 }), fc.nat(3), (bits, skipped) => {
        const expected = new Float32Array(bits.length);
        widenInto(dtype, bits, expected);
        const target = new Float32Array(bits.length + skipped).subarray(skipped);
        new Uint16Array(target.buffer, target.byteOffset + 2 * bits.length, bits.length).set(bits);
        widenInPlace(dtype, target);
        expect([...target]).toEqual([...expected]);
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it('F64 is rounded to the nearest f32, as Math.fround does, and copied as it is', () => {
    const numbers = [1 + 2 ** -24, 1 + 2 ** -24 + 2 ** -50, -0.1, 1e300, 5e-324, 0];
    const target = new Float32Array(numbers.length);
    roundInto(Float64Array.from(numbers), target);
    expect([...target]).toEqual(numbers.map(Math.fround));
  });

  it.each([
    ['NaN', Number.NaN],
    ['Inf', Number.POSITIVE_INFINITY],
    ['-Inf', Number.NEGATIVE_INFINITY],
  ])('%s is found among f64', (value, number) => {
    const numbers = Float64Array.from([1.5, -1e308, 0, number, 2, Number.NaN]);
    const entry = { name: 'w', dtype: 'F64', shape: [3, 2], nBytes: 48, file: 'f', offset: 0 } as const;
    const bytes = new Uint8Array(numbers.buffer);
    expect(notFiniteIn(entry, bytes, 0)).toMatchObject({ value, index: [1, 1] });
    expect(notFiniteIn(entry, bytes.subarray(0, 24), 0)).toBeNull();
  });

  it('a NaN of f64 whose payload lies in the lower half alone is no infinity', () => {
    const numbers = new BigUint64Array([0x7ff0_0000_0000_0001n]);
    const entry = { name: 'w', dtype: 'F64', shape: [1], nBytes: 8, file: 'f', offset: 0 } as const;
    expect(notFiniteIn(entry, new Uint8Array(numbers.buffer), 0)).toMatchObject({ value: 'NaN' });
  });
});
