// Distillation against its formula in plain float64 loops over the whole vocabulary: the loss, its gradient, and what a
// teacher's walk over slices of the vocabulary finds beside a plain softmax.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../server/checkpoint/checkpoint';
import { readModelConfig } from '../../server/model/readConfig';
import { distillationLoss } from '../../server/model/distillation';
import { logitsSlice } from '../../server/model/head';
import { blockParts } from '../../server/model/block';
import { pathWithout } from '../../server/model/path';
import { rotaryTables } from '../../server/model/rope';
import { blockWeightName, blockWeights, embeddingName, finalNormName } from '../../server/model/weights';
import { type Device, openDevice } from '../../server/runtime/device';
import { planExecution } from '../../server/execution/memoryPlan';
import { topTokens } from '../../server/execution/topTokens';
import { residentStore, streamingStore } from '../../server/execution/weightStore';
import { modelFolder, repoRoot } from '../fixtures';
import { compute } from '../graph/compute';
import { dot } from '../graph/differences';
import { evaluate, someNumbers } from '../graph/evaluate';

let device: Device;
beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
afterAll(() => device.close());

const softmax = (logits: Float64Array) => {
  const exponentials = logits.map(Math.exp);
  const sum = exponentials.reduce((total, x) => total + x, 0);
  return exponentials.map((x) => x / sum);
};
/** head [V, D] times a row of D. */
const logitsOf = (head: Float64Array, row: Float64Array) =>
  Float64Array.from({ length: head.length / row.length }, (_, v) =>
    dot(head.subarray(v * row.length, (v + 1) * row.length), row),
  );
const likeliest = (values: Float64Array, count: number) =>
  [...values.keys()].sort((a, b) => values[b]! - values[a]!).slice(0, count);

describe.each([
  { family: 'llama2', topK: 5, temperature: 1 },
  { family: 'llama2', topK: 5, temperature: 2 },
  { family: 'llama2', topK: 1, temperature: 1 },
  { family: 'llama2', topK: 18, temperature: 4 },
  { family: 'gemma2', topK: 5, temperature: 1 },
  { family: 'gemma2', topK: 5, temperature: 2 },
])('$family, the distance to a teacher by $topK of 23 tokens at $temperature', ({ family, topK, temperature }) => {
  const json = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/families', family, 'config.json'), 'utf8'));
  const [V, D, rows] = [23, 8, 4];
  const config = readModelConfig({ ...json, vocab_size: V, hidden_size: D });
  const head = Float64Array.from(someNumbers(V * D, 1));
  const normed = Float64Array.from(someNumbers(rows * D, 2));
  const teacherHead = Float64Array.from(someNumbers(V * D, 3));
  const weights = Float64Array.of(0.4, 0, 0.1, 0.5);
  const row = (values: Float64Array, r: number) => values.subarray(r * D, (r + 1) * D);
  const cap = config.form.softCaps.logits ?? Number.POSITIVE_INFINITY;
  const capped = (x: number) => (Number.isFinite(cap) ? cap * Math.tanh(x / cap) : x);
  /** Logits of a row against a head, capped, then divided by the temperature. */
  const tempered = (of: Float64Array, r: number, from: Float64Array = normed) =>
    logitsOf(of, row(from, r)).map((x) => capped(x) / temperature);
  const teacher = Array.from({ length: rows }, (_, r) => softmax(tempered(teacherHead, r)));
  const ids = teacher.map((p) => likeliest(p, topK));

  /** T^2 sum of weights * KL(teacher || student), the tokens that are not the teacher's likeliest as one. */
  function plainLoss(of: Float64Array): number {
    let loss = 0;
    for (let r = 0; r < rows; r++) {
      const [p, q] = [teacher[r]!, softmax(tempered(head, r, of))];
      const pairs = ids[r]!.map((id) => [p[id]!, q[id]!] as const);
      const rest = [0, 1].map((side) => pairs.reduce((left, pair) => left - pair[side]!, 1)) as [number, number];
      for (const [a, b] of [...pairs, rest]) loss += weights[r]! * a * Math.log(a / b);
    }
    return temperature ** 2 * loss;
  }

  // What the walk over the student's vocabulary leaves, for logits of which the largest was taken as 1.
  const largest = 1;
  const student = Array.from({ length: rows }, (_, r) => tempered(head, r).map((x) => Math.exp(x - largest)));
  const slopes = Array.from({ length: rows }, (_, r) =>
    tempered(head, r).map((x) => 1 - ((x * temperature) / cap) ** 2),
  );
  const headRows = student.flatMap((shares, r) =>
    Array.from({ length: D }, (_, d) =>
      shares.reduce((sum, share, v) => sum + share * slopes[r]![v]! * head[v * D + d]!, 0),
    ),
  );
  const feeds = {
    normed: normed.map((x) => x / temperature),
    largest: new Float64Array(rows).fill(largest),
    sum: Float64Array.from(student, (shares) => shares.reduce((sum, x) => sum + x, 0)),
    headRows: Float64Array.from(headRows),
    weights,
    teacherRows: Float64Array.from(ids.flat().flatMap((id) => [...row(head, id)])),
    teacherLogProbabilities: Float64Array.from(ids.flatMap((some, r) => some.map((id) => Math.log(teacher[r]![id]!)))),
  };
  const graph = distillationLoss(config, rows, topK, temperature);

  it('is the formula, and its gradient the difference quotient by every number', () => {
    const { loss, normedGradient, tokenNats } = evaluate(graph, feeds);
    expect(loss!.data[0]).toBeCloseTo(plainLoss(normed), 10);
    expect(temperature ** 2 * dot(tokenNats!.data, weights)).toBeCloseTo(loss!.data[0]!, 12);
    for (const [i, found] of normedGradient!.data.entries()) {
      const moved = (by: number) => plainLoss(normed.with(i, normed[i]! + by));
      expect(found).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 8);
    }
  });

  it('is so in float32 too', async () => {
    const singles = Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, Float32Array.from(x)]));
    const found = await compute(device, graph, singles);
    const expected = evaluate(graph, feeds);
    expect(Math.abs(found.loss![0]! / expected.loss!.data[0]! - 1)).toBeLessThan(1e-4);
    const scale = Math.max(...expected.normedGradient!.data.map(Math.abs));
    for (const [i, x] of expected.normedGradient!.data.entries())
      expect(Math.abs(found.normedGradient![i]! - x) / scale).toBeLessThan(1e-4);
  });

  it('is nothing where the student is the teacher', () => {
    const own = ids.map((_, r) => softmax(tempered(head, r)));
    const teacherLogProbabilities = Float64Array.from(
      ids.flatMap((some, r) => some.map((id) => Math.log(own[r]![id]!))),
    );
    const { tokenNats, normedGradient } = evaluate(graph, { ...feeds, teacherLogProbabilities });
    for (const x of [...tokenNats!.data, ...normedGradient!.data]) expect(Math.abs(x)).toBeLessThan(1e-6);
  });
});

describe("a teacher's likeliest tokens", () => {
  const sequences = [0, 1, 2].map((w) => Int32Array.from({ length: 20 }, (_, i) => (7 * i + 31 * w) % 512));
  let checkpoint: Checkpoint;
  let expected: Float64Array[][];
  beforeAll(async () => {
    checkpoint = await openCheckpoint(modelFolder('stories260k'));
    expected = await allLogits();
  });
  afterAll(() => checkpoint.close());

  /** Logits of every prediction of every sequence, by the blocks' graphs in float32 and one head over all tokens. */
  async function allLogits(): Promise<Float64Array[][]> {
    const { config } = checkpoint;
    const { width: D, vocabularySize: V } = config;
    const found: Float64Array[][] = [];
    for (const ids of sequences) {
      const batch = { batch: 1, tokens: ids.length };
      const tables = {
        ...rotaryTables(config, ids.length),
        positions: BigInt64Array.from(ids, (_, i) => BigInt(i)),
      };
      let hidden = checkpoint.gatherRowsF32(embeddingName, ids);
      for (const stage of pathWithout(config)) {
        const weights: Record<string, Float32Array> = {};
        for (const { suffix } of blockWeights(config))
          weights[suffix] = await checkpoint.readF32(blockWeightName(stage.block, suffix));
        const { hiddenOut } = blockParts(config, stage, batch);
        const graph = { name: 'block', outputs: { hiddenOut } };
        hidden = (await compute(device, graph, { ...weights, ...tables, hidden })).hiddenOut!;
      }
      const head = await checkpoint.readF32(embeddingName);
      const norm = await checkpoint.readF32(finalNormName);
      const { logits } = await compute(device, logitsSlice(config, ids.length, V), { hidden, norm, head });
      found.push(
        Array.from({ length: ids.length - 1 }, (_, t) => Float64Array.from(logits!.subarray(t * V, (t + 1) * V))),
      );
      expect(hidden.length).toBe(ids.length * D);
    }
    return found;
  }

  async function found(topK: number, temperature: number, headSliceRows: number, mode: 'resident' | 'streaming') {
    const { config } = checkpoint;
    const request = { nSequences: 3, tokensPerSequence: 20, keepStates: false, memory: mode, limitBytes: 4e9 };
    const plan = { ...planExecution(config, request), headSliceRows, microBatchSequences: 2, groupSequences: 3 };
    const store = mode === 'resident' ? residentStore(checkpoint, device) : streamingStore(checkpoint, device);
    try {
      return await topTokens({ checkpoint, config, device, store, plan }, sequences, { topK, temperature });
    } finally {
      store[Symbol.dispose]();
      expect(device.alive().length).toBe(0);
    }
  }

  it.each<[topK: number, temperature: number, headSliceRows: number, mode: 'resident' | 'streaming']>([
    [8, 1, 512, 'resident'],
    [8, 1, 100, 'resident'], // the last slice has 12
    [32, 1, 100, 'streaming'], // and here fewer than are asked for
    [32, 2, 170, 'resident'], // 2
    [32, 2, 7, 'streaming'], // all slices have fewer
    [1, 0.5, 64, 'resident'],
    [200, 1, 128, 'streaming'],
  ])('%d at temperature %d, in slices of %d, %s', async (topK, temperature, sliceRows, mode) => {
    const all = await found(topK, temperature, sliceRows, mode);
    expect(all).toHaveLength(sequences.length);
    let worst = 0;
    for (const [w, { ids, logProbabilities, ...rest }] of all.entries()) {
      expect(rest).toEqual({ topK, temperature });
      expect([ids.length, logProbabilities.length]).toEqual([19 * topK, 19 * topK]);
      for (const [t, logits] of expected[w]!.entries()) {
        const logs = softmax(logits.map((x) => x / temperature)).map(Math.log);
        const best = likeliest(logs, topK);
        const own = ids.subarray(t * topK, (t + 1) * topK);
        expect(new Set(own).size).toBe(topK);
        for (const [k, id] of own.entries()) {
          const off = Math.abs(logProbabilities[t * topK + k]! - logs[id]!);
          worst = Math.max(worst, off, Math.abs(logs[best[k]!]! - logs[id]!));
          // Another token at this rank is right only where the two are as likely as each other.
          if (id !== best[k]) expect(Math.abs(logs[id]! - logs[best[k]!]!)).toBeLessThan(1e-5);
        }
      }
    }
    expect(worst).toBeLessThan(1e-4);
    console.log(`top ${topK} at ${temperature} in slices of ${sliceRows}: within ${worst.toExponential(1)} nats`);
  });
});
