// The table of methods is complete, and the arithmetic behind it is good to the last digits that float32 has, where
// hidden states nearly agree as well. Expected numbers are computed here in float64 from the same float32 vectors.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importanceMethod, importanceMethodNames } from '../../server/shared/methods';
import { anglesBetweenStates, norm, oneMinusCosine } from '../../server/analysis/measures';
import { div, mul, sub } from '../../server/graph/ops/elementwise';
import { reduceSum } from '../../server/graph/ops/reduce';
import { type Graph, input, scalar } from '../../server/graph/value';
import { type Device, openDevice } from '../../server/runtime/device';
import type { Program } from '../../server/runtime/sessions';
import type { Tensor } from '../../server/runtime/tensor';

describe('the table of methods', () => {
  it.each(importanceMethodNames)('%s says its unit, its paper and what it scores', (name) => {
    const { unit, paper, of } = importanceMethod(name);
    expect(unit).not.toBe('');
    expect(paper).toMatch(/, arXiv:\d{4}\.\d{5}$/);
    expect(['block', 'attention', 'mlp', 'span']).toContain(of);
    if (/^(relative)?(attention|mlp)/i.test(name)) expect(name.toLowerCase()).toContain(of);
    if (/^angular/.test(name)) expect(of).toBe('span');
  });
});

let device: Device;
beforeAll(async () => {
  device = await openDevice({ provider: 'cpu', threads: 1 });
});
afterAll(() => device.close());

const rowsEach = 200;
const width = 576;

type Rows = Float32Array; // [rowsEach, width]

async function compute(graph: Graph, feeds: Record<string, Rows>, shape: number[]): Promise<Float32Array> {
  using scope = device.scope();
  return run(await scope.compile(graph), feeds, shape);
}

async function run(program: Program, feeds: Record<string, Rows>, shape: number[]): Promise<Float32Array> {
  using scope = device.scope();
  const uploaded: Record<string, Tensor> = {};
  for (const [name, data] of Object.entries(feeds)) uploaded[name] = await scope.upload(data, shape, 'table');
  return scope.read(Object.values(await scope.run(program, uploaded))[0]!);
}

/** Normal numbers of a fixed generator, so that a failure can be looked at again. */
function normals(seed: number) {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

const random = (seed: number, deviation = 1): Rows => {
  const next = normals(seed);
  return Float32Array.from({ length: rowsEach * width }, () => deviation * next());
};
const near = (x: Rows, distance: number, seed: number, stretch = 1): Rows => {
  const next = normals(seed);
  return x.map((value) => stretch * (value + distance * next()));
};

const ofRow = (x: Rows, r: number) => [...x.subarray(r * width, (r + 1) * width)];
const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
/** 1 - cos in float64, from the difference of the unit vectors, which loses nothing for small angles. */
function exact(a: number[], b: number[]): number {
  const [lengthA, lengthB] = [Math.sqrt(dot(a, a)), Math.sqrt(dot(b, b))];
  return a.reduce((sum, x, i) => sum + (x / lengthA - b[i]! / lengthB) ** 2, 0) / 2;
}

describe('1 - cosine', () => {
  const u = random(1);
  const rows: { what: string; v: Rows; relative: number }[] = [
    { what: 'unrelated vectors', v: random(2), relative: 1e-5 },
    { what: 'opposite vectors', v: u.map((x) => -3 * x), relative: 1e-6 },
    { what: 'vectors a tenth apart', v: near(u, 0.1, 3), relative: 1e-5 },
    { what: 'vectors a hundredth apart', v: near(u, 0.01, 4), relative: 1e-4 },
    { what: 'vectors a thousandth apart', v: near(u, 0.001, 5), relative: 2e-3 },
    { what: 'vectors of other lengths, a tenth apart', v: near(u, 0.1, 6, 1.5), relative: 1e-4 },
  ];
  const shape = [rowsEach, width];
  const [a, b] = [input('u', shape), input('v', shape)];
  const ours: Graph = { name: 'ours', outputs: { y: oneMinusCosine(norm(a), norm(b), norm(sub(b, a))) } };
  const quotient = div(reduceSum(mul(a, b), [-1]), mul(norm(a), norm(b)));
  const naive: Graph = { name: 'naive', outputs: { y: sub(scalar(1), quotient) } };
  const halved: Graph = { name: 'halved', outputs: { y: oneMinusCosine(norm(a), norm(b), norm(b)) } };
  const worst = async (graph: Graph, v: Rows) => {
    const found = await compute(graph, { u, v }, shape);
    const off = [...found].map((y, r) => {
      const expected = exact(ofRow(u, r), ofRow(v, r));
      return Math.abs(y - expected) / expected;
    });
    return Math.max(...off);
  };

  it.each(rows)('$what', async ({ v, relative }) => {
    expect(await worst(ours, v)).toBeLessThan(relative);
  });

  it('would not be met by one minus a quotient, nor by a formula that is wrong', async () => {
    expect(await worst(naive, near(u, 0.001, 5))).toBeGreaterThan(0.05);
    for (const { v, relative } of rows.slice(2)) expect(await worst(halved, v)).toBeGreaterThan(10 * relative);
  });

  it('is zero for equal vectors and finite for vectors of zeros', async () => {
    expect(new Set(await compute(ours, { u, v: u }, shape))).toEqual(new Set([0]));
    const zeros = new Float32Array(u.length);
    for (const [x, y] of [
      [zeros, zeros],
      [zeros, u],
      [u, zeros],
    ] as const)
      expect((await compute(ours, { u: x, v: y }, shape)).every(Number.isFinite)).toBe(true);
  });
});

describe('angles', () => {
  /** Infinite where one of them is no number. */
  const largest = (values: number[]) => (values.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(...values));
  /** arccos(cos(a, b)) / pi in float64. */
  const exactAngle = (a: number[], b: number[]) => (2 * Math.asin(Math.min(1, Math.sqrt(exact(a, b) / 2)))) / Math.PI;
  // The graph has nodes of its own for each sequence: it is made for some, compiled once, and run over all.
  const together = 20;
  let program: Program;
  beforeAll(async () => {
    const batch = { batch: together, tokens: 1 };
    program = await device.compile(anglesBetweenStates(2, width, batch, ['lastToken']));
  });
  const anglesOf = async (h0: Rows, h1: Rows) => {
    const angles: { same: number; between: number; back: number }[] = [];
    for (let r = 0; r < rowsEach; r += together) {
      const some = (h: Rows) => h.subarray(r * width, (r + together) * width);
      const all = await run(program, { h0: some(h0), h1: some(h1) }, [together, width]); // [together, 2, 2]
      for (let i = 0; i < all.length; i += 4) angles.push({ same: all[i]!, between: all[i + 1]!, back: all[i + 2]! });
    }
    return angles;
  };
  const u = random(7);
  // Rounding leaves a cosine of vectors this long off by up to 2e-6, some float32 steps; an angle by that over its sine,
  // and next to 0 and 1 by no more than the angle of such a cosine.
  const cosineError = 2e-6;
  const blur = Math.sqrt(2 * cosineError) / Math.PI;
  const allowed = (angle: number) => 1e-7 + Math.min(blur, cosineError / (Math.PI * Math.sin(Math.PI * angle)));
  const rows: { what: string; v: Rows }[] = [
    { what: 'unrelated vectors', v: random(8) },
    { what: 'opposite directions, nearly', v: near(u, 0.3, 9, -1) },
    { what: 'vectors a tenth apart', v: near(u, 0.1, 10) },
    { what: 'vectors a hundredth apart', v: near(u, 0.01, 11) },
    { what: 'vectors a ten-thousandth apart', v: near(u, 1e-4, 12) },
    { what: 'equal vectors', v: u },
    { what: 'exactly opposite vectors', v: u.map((x) => -x) },
    { what: 'large and small vectors', v: random(13, 1e-6) },
  ];

  it.each(rows)('$what', async ({ v }) => {
    const angles = await anglesOf(u, v);
    const off = angles.map(({ between }, r) => {
      const expected = exactAngle(ofRow(u, r), ofRow(v, r));
      return Math.abs(between - expected) / allowed(expected);
    });
    expect(largest(off)).toBeLessThan(1);
    expect(largest(angles.map(({ back, between }) => Math.abs(back - between)))).toBeLessThan(5e-7);
    expect(Math.min(...angles.map(({ same }) => same))).toBeGreaterThanOrEqual(0);
    expect(largest(angles.map(({ same }) => same))).toBeLessThan(blur);
  });

  it('the arc cosine itself, from one end to the other', async () => {
    const turns = Array.from({ length: rowsEach }, (_, r) => (0.02 + 0.96 * r) / rowsEach + 0.01 / rowsEach);
    const [h0, h1] = [new Float32Array(rowsEach * width), new Float32Array(rowsEach * width)];
    for (const [r, t] of turns.entries()) {
      h0[r * width] = 1;
      h1[r * width] = Math.cos(Math.PI * t);
      h1[r * width + 1] = Math.sin(Math.PI * t);
    }
    const off = (await anglesOf(h0, h1)).map(({ between }, r) => {
      const most = turns[r]! > 0.02 && turns[r]! < 0.98 ? 1e-6 : allowed(turns[r]!);
      return Math.abs(between - turns[r]!) / most;
    });
    expect(largest(off)).toBeLessThan(1);
  });

  it('cosines that rounding carries beyond 1 occur, and count as 1', async () => {
    const x = input('x', [rowsEach, width]);
    const quotient = div(reduceSum(mul(x, x), [-1]), mul(norm(x), norm(x)));
    const scaled = random(14, 0.37);
    const cosines = await compute({ name: 'cosine', outputs: { y: quotient } }, { x: scaled }, [rowsEach, width]);
    expect(Math.max(...cosines)).toBeGreaterThan(1);
    const angles = await anglesOf(scaled, scaled);
    expect(angles.flatMap(({ same, between }) => [same, between]).every(Number.isFinite)).toBe(true);
  });

  it('over all tokens is the mean over tokens, in stacks of any size', async () => {
    const tokens = 150; // more than are stacked together, and not a multiple
    const [h0, h1] = [random(15).subarray(0, tokens * width), random(16).subarray(0, tokens * width)];
    const shape = [tokens, width];
    const graph = anglesBetweenStates(2, width, { batch: 1, tokens }, ['allTokens']);
    const all = await compute(graph, { h0, h1 }, shape);
    const each = Array.from({ length: tokens }, (_, r) => exactAngle(ofRow(h0, r), ofRow(h1, r)));
    expect(all[1]).toBeCloseTo(each.reduce((sum, angle) => sum + angle, 0) / tokens, 6);
    const last = await compute(anglesBetweenStates(2, width, { batch: 1, tokens }, ['lastToken']), { h0, h1 }, shape);
    expect(last[1]).toBeCloseTo(each.at(-1)!, 6);
  });
});
