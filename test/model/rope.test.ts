// Rotary frequencies and tables against the formulas of the papers in float64.
import { describe, expect, it } from 'vitest';
import type { ModelConfig, Rope } from '../../server/model/config';
import { readModelConfig } from '../../server/model/readConfig';
import { rotaryFrequencies, rotaryTables } from '../../server/model/rope';

const llama31 = {
  type: 'llama3',
  theta: 500_000,
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalContextLength: 8192,
} as const satisfies Rope;

/** Each in the terms of its source: theta^(-2i/E), positions divided by a factor, and Meta's wavelengths. */
const plain = (theta: number, i: number, headWidth: number) => Math.exp((-2 * i * Math.log(theta)) / headWidth);
const llama3 = (rope: typeof llama31, i: number, headWidth: number) => {
  const f = plain(rope.theta, i, headWidth);
  const wavelength = (2 * Math.PI) / f;
  const longest = rope.originalContextLength / rope.lowFrequencyFactor;
  const shortest = rope.originalContextLength / rope.highFrequencyFactor;
  if (wavelength < shortest) return f;
  if (wavelength > longest) return f / rope.factor;
  const share = (rope.originalContextLength / wavelength - 1) / 3; // with the factors 1 and 4
  return (1 - share) * (f / rope.factor) + share * f;
};

describe('frequencies', () => {
  const rows: [string, Rope, number, (i: number, headWidth: number) => number][] = [
    ['of Llama 2', { type: 'default', theta: 10_000 }, 128, (i, E) => plain(10_000, i, E)],
    ['of SmolLM3', { type: 'default', theta: 2_000_000 }, 128, (i, E) => plain(2_000_000, i, E)],
    ['of a narrow head', { type: 'default', theta: 10_000 }, 8, (i, E) => plain(10_000, i, E)],
    ['of a single pair', { type: 'default', theta: 10_000 }, 2, () => 1],
    ['stretched by a factor', { type: 'linear', theta: 10_000, factor: 2.5 }, 64, (i, E) => plain(10_000, i, E) / 2.5],
    ['of Llama 3.1', llama31, 128, (i, E) => llama3(llama31, i, E)],
    ['of Llama 3.2', { ...llama31, factor: 32 }, 64, (i, E) => llama3({ ...llama31, factor: 32 } as never, i, E)],
  ];
  it.each(rows)('%s', (_, rope, headWidth, expected) => {
    const found = rotaryFrequencies(rope, headWidth);
    expect(found).toHaveLength(headWidth / 2);
    for (const [i, f] of found.entries()) expect(f / expected(i, headWidth), `pair ${i}`).toBeCloseTo(1, 6);
  });

  it('of Llama 3.1 are of all three kinds', () => {
    // Wavelengths 2 pi 500000^(i/64) pass 8192 / 4 at i = 28.2 and 8192 at i = 34.98.
    const ratios = [...rotaryFrequencies(llama31, 128)].map((f, i) => f / plain(llama31.theta, i, 128));
    expect(ratios.filter((r) => Math.abs(r - 1) < 1e-5)).toHaveLength(29);
    expect(ratios.filter((r) => Math.abs(r - 1 / 8) < 1e-5)).toHaveLength(29);
  });
});

describe('tables', () => {
  const config = {
    ...readModelConfig({
      model_type: 'llama',
      hidden_size: 16,
      intermediate_size: 16,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      vocab_size: 9,
    }),
    headWidth: 8,
  } satisfies ModelConfig;
  const tables = rotaryTables(config, 5000);
  const [cos, sin] = [tables.cos!, tables.sin!];

  it('hold half a head for each position', () => expect([cos.length, sin.length]).toEqual([20_000, 20_000]));
  it('do not turn the first position', () =>
    expect([...cos.subarray(0, 4), ...sin.subarray(0, 4)]).toEqual([1, 1, 1, 1, 0, 0, 0, 0]));
  it.each([1, 2, 63, 511, 4095, 4999])('turn position %i by its angles', (position) => {
    for (let i = 0; i < 4; i++) {
      const angle = position * 10 ** -i; // theta 10000, E 8: the frequencies are powers of ten
      // An angle in float32 is off by half of its last place, 2^-12 at 4999.
      expect(Math.abs(cos[position * 4 + i]! - Math.cos(angle))).toBeLessThan(1e-7 + position * 1.3e-7);
      expect(Math.abs(sin[position * 4 + i]! - Math.sin(angle))).toBeLessThan(1e-7 + position * 1.3e-7);
    }
  });
});
