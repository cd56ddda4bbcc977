// Measured losses against PyTorch, and against themselves: what is shared, cached or raced changes no number.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { measuredLoss, pairedDifference } from '../../server/analysis/measuredLoss';
import { upperQuantile } from '../../server/shared/statistics';
import type { EngineEvent } from '../../server/protocol/engine';
import type { AnalyzeRecipe, MeasureOptions } from '../../server/recipes/analyze/recipe';
import type { DropSet } from '../../server/protocol/recipes';
import type { MeasuredLoss } from '../../server/protocol/reports';
import { ofBlocks, parseDropSet } from '../../server/shared/dropSets';
import { finite, finiteLoss } from '../finiteLoss';
import { available, long, modelFolder, referenceFile } from '../fixtures';
import { refusal } from '../refusal';
import { noLosses, onCpu, runHere } from '../recipes/runHere';

interface Reference {
  ids: number[][];
  settings: { removal_windows: number; greedy_windows: number };
  removal_dense_loss: number;
  loss_without_block: number[];
  loss_without_attention: number[];
  loss_without_mlp: number[];
  greedy: { order: number[]; losses: number[]; candidates: Record<string, number>[] };
}

/** Losses on the first rows of the reference's ids. */
const measured = async (
  model: string,
  nSequences: number,
  measure: Partial<MeasureOptions>,
  change: Partial<AnalyzeRecipe> = {},
  events: EngineEvent[] = [],
) => {
  const recipe = { model: modelFolder(model), methods: ['none'], stay: false, compute: onCpu, ...change };
  const source = { kind: 'ids', file: referenceFile(model), sequences: nSequences } as const;
  return runHere({ kind: 'analyze', ...recipe, source, measure: { ...noLosses, ...measure } }, events);
};

const tolerance = 1e-4;
const timeout = 1_200_000;
const worst = (found: readonly number[], expected: readonly number[]) =>
  found.length === expected.length
    ? Math.max(...found.map((x, i) => Math.abs(x - expected[i]!) / expected[i]!))
    : Number.POSITIVE_INFINITY;
const lossesOf = (losses: readonly MeasuredLoss[] | null) => losses!.map((it) => finite(it.lossNats));

// A model that takes minutes is measured by blocks, on few tokens, and searched for two among the blocks of its middle, where the
// first to go lie; the rest is for the long tests.
const outside = Array.from({ length: 30 }, (_, k) => k).filter((k) => k < 12 || k > 21);
const models = [
  { model: 'stories260k', sublayers: true, searched: 4, kept: [] as number[] },
  { model: 'smollm2-135m', sublayers: long, searched: long ? 6 : 2, kept: long ? [] : outside },
];
describe.each(models)('$model', ({ model, sublayers, searched, kept }) => {
  describe.skipIf(!available(modelFolder(model)))('beside PyTorch', () => {
    const reference = JSON.parse(readFileSync(referenceFile(model), 'utf8')) as Reference;
    const { removal_windows, greedy_windows } = reference.settings;

    it('has the losses without each part', { timeout }, async () => {
      const removals = sublayers ? 'sublayers' : 'blocks';
      const report = await measured(model, removal_windows, { removals });
      const { blocks, attention, mlp } = report.removals!;
      const off = [
        worst([report.lossNats], [reference.removal_dense_loss]),
        worst(lossesOf(blocks), reference.loss_without_block),
        ...(attention ? [worst(lossesOf(attention), reference.loss_without_attention)] : []),
        ...(mlp ? [worst(lossesOf(mlp), reference.loss_without_mlp)] : []),
      ];
      console.log(
        `${model}: largest relative differences of removals ${off.map((x) => x.toExponential(1)).join(', ')}`,
      );
      expect(off).toHaveLength(sublayers ? 4 : 2);
      expect(Math.max(...off)).toBeLessThan(tolerance);
      for (const { costNats, lossNats } of blocks.map(finiteLoss))
        expect(costNats).toBeCloseTo(lossNats - report.lossNats, 4);
      expect(report.work).toMatchObject(report.work!.minimum);
    });

    it('drops the same blocks in a greedy search, with the same losses', { timeout }, async () => {
      const { order, losses, candidates } = reference.greedy;
      const greedy = { count: searched, of: 'blocks' as const, racingConfidence: null, protected: kept };
      const report = await measured(model, greedy_windows, { greedy });
      expect(report.greedy!.order).toEqual(order.slice(0, searched));
      expect(worst(report.greedy!.lossNats, losses.slice(0, searched))).toBeLessThan(tolerance);
      for (const [i, step] of report.greedy!.steps.entries()) {
        const found = Object.fromEntries(step.candidates.map(({ unit, lossNats }) => [String(unit), finite(lossNats)]));
        const unprotected = Object.entries(candidates[i]!).filter(([unit]) => !kept.includes(Number(unit)));
        const expected = Object.fromEntries(unprotected);
        expect(Object.keys(found)).toEqual(Object.keys(expected));
        expect(worst(Object.values(found), Object.values(expected))).toBeLessThan(tolerance);
      }
      expect(report.work).toMatchObject(report.work!.minimum);
    });
  });
});

describe('a search', () => {
  const search = (change: Partial<MeasureOptions['greedy'] & object>, measure: Partial<MeasureOptions> = {}) =>
    measured('stories260k', 8, {
      ...measure,
      greedy: { count: 3, of: 'blocks', racingConfidence: null, protected: [], ...change },
    });

  it('goes around protected blocks', async () => {
    const { greedy } = await search({ protected: [3, 1] });
    expect(greedy!.order).not.toContain(3);
    expect(greedy!.order).not.toContain(1);
    expect(greedy!.steps.map((step) => step.candidates.length)).toEqual([3, 2, 1]);
  });

  it('finds the same after removals were measured, for less', async () => {
    const [alone, after] = [await search({}), await search({}, { removals: 'blocks' })];
    expect(after.greedy).toEqual(alone.greedy);
    expect(after.work).toEqual(alone.work);
  });

  it('by racing finds the same order with less work, and measures what it drops on all sequences', async () => {
    const [exact, raced] = [await search({}), await search({ racingConfidence: 0.95 })];
    expect(raced.greedy!.order).toEqual(exact.greedy!.order);
    expect(worst(raced.greedy!.lossNats, exact.greedy!.lossNats)).toBeLessThan(1e-6);
    expect(raced.work!.blockRuns).toBeLessThan(exact.work!.blockRuns);
    const { candidates } = raced.greedy!.steps[0]!;
    expect(candidates.find(({ unit }) => unit === 3)!.nSequences).toBe(8);
    expect(candidates.find(({ unit }) => unit === 0)!.nSequences).toBeLessThan(8);
  });

  it('drops sublayers of blocks, each time the one that costs least', async () => {
    const report = await search({ of: 'sublayers', count: 4 });
    const drop: DropSet = { blocks: [], attention: [], mlp: [] };
    for (const [i, unit] of report.greedy!.order.entries()) {
      if (typeof unit === 'number') throw new Error('a whole block');
      drop[unit.half].push(unit.block);
      const { candidates, lossNats } = report.greedy!.steps[i]!;
      expect(candidates).toHaveLength(10 - i);
      expect(lossNats).toBe(Math.min(...candidates.map((it) => finite(it.lossNats))));
    }
    const { whatIf } = await measured('stories260k', 8, { whatIf: [drop] });
    expect(whatIf![0]!.lossNats).toBeCloseTo(report.greedy!.lossNats[3]!, 5);
  });
});

describe('suggestions', () => {
  it('are what every method drops for every count, with the losses of those sets', async () => {
    const options = {
      suggestions: 3,
      removals: 'blocks',
      greedy: { count: 2, of: 'blocks', racingConfidence: null, protected: [] },
    } as const;
    const report = await measured(
      'stories260k',
      4,
      { ...options, greedy: { ...options.greedy, protected: [] } },
      { methods: ['all'] },
    );
    const methods = new Set(report.suggestions!.map((it) => it.method));
    expect([...methods]).toEqual([...Object.keys(report.methods), 'removal', 'greedy', 'deepest']);
    expect(report.suggestions!.filter((it) => it.method === 'greedy')).toHaveLength(2);
    const sets = report.suggestions!.map((it) => it.drop);
    const { whatIf } = await measured('stories260k', 4, { whatIf: sets });
    for (const [i, { lossNats, costNats, count, drop }] of report.suggestions!.map(finiteLoss).entries()) {
      expect(drop.blocks).toHaveLength(count);
      expect(lossNats).toBeCloseTo(finite(whatIf![i]!.lossNats), 5);
      expect(costNats).toBeCloseTo(lossNats - report.lossNats, 4);
    }
  });

  it('are told part by part, the scores first', async () => {
    const events: EngineEvent[] = [];
    await measured(
      'stories260k',
      2,
      { removals: 'sublayers', suggestions: 1 },
      { methods: ['blockInfluence'] },
      events,
    );
    const parts = events.flatMap((event) => (event.kind === 'partial' ? [Object.keys(event.report)] : []));
    expect(parts[0]).toEqual(expect.arrayContaining(['methods', 'lossNats', 'perplexity']));
    expect(parts.slice(1)).toEqual([['removals'], ['removals'], ['removals'], ['suggestions'], ['work']]);
  });
});

describe('a cost', () => {
  it.each([
    ['the loss is the mean of all predictions', [1, 2, 3, 4], [1, 1, 1, 1], 2, { lossNats: 2.5, costNats: 1.5 }],
    ['a variant that is the model costs nothing', [1, 2, 3, 4], [1, 2, 3, 4], 2, { costNats: 0, costStandardError: 0 }],
    ['a constant cost is certain', [2, 3, 4, 5], [1, 2, 3, 4], 2, { costNats: 1, costStandardError: 0 }],
    ['one sequence has no error of the loss', [1, 2], [1, 1], 1, { standardError: null }],
    ['sequences differ by 2', [1, 1, 3, 3], [0, 0, 0, 0], 2, { standardError: 1 }],
  ])('%s', (_, nats, dense, nSequences, expected) =>
    expect(measuredLoss(Float32Array.from(nats), Float32Array.from(dense), nSequences)).toMatchObject(expected),
  );

  it('is paired: (1, -1, 1, -1) has a mean of 0 and an error of sqrt(4/3/4)', () =>
    expect(pairedDifference(Float32Array.of(1, 0, 1, 0), Float32Array.of(0, 1, 0, 1))).toEqual({
      mean: 0,
      standardError: Math.sqrt(1 / 3),
    }));

  // The usual table of the normal distribution.
  it.each([
    [0.025, 1.959964],
    [0.05, 1.644854],
    [0.001, 3.090232],
    [1e-5, 4.264891],
    [0.975, -1.959964],
  ])('a share of %d lies above %d', (p, z) => expect(Math.abs(upperQuantile(p) - z)).toBeLessThan(4.5e-4));
});

describe('what cannot be measured is refused before anything runs', () => {
  const rows: [string, Partial<MeasureOptions>, RegExp][] = [
    ['a set with a block that is not there', { whatIf: [ofBlocks([7])] }, /^badChoice: There is no block 7/],
    ['all blocks by sublayers', { whatIf: [parseDropSet('0-4a,0-4m')] }, /^badChoice: .*leaves no model/],
    ['suggestions of all blocks', { suggestions: 5 }, /^badChoice: 5 blocks cannot be suggested/],
  ];
  const greedy = { count: 2, of: 'blocks', racingConfidence: null, protected: [] as number[] } as const;
  const searches: [string, Partial<NonNullable<MeasureOptions['greedy']>>, RegExp][] = [
    ['a search for all blocks', { count: 5 }, /^badChoice: A search cannot drop 5 blocks: at most 4 may go/],
    ['a search among too many protected', { count: 3, protected: [0, 1, 2] }, /at most 2 may go/],
    ['a search for all sublayers', { count: 10, of: 'sublayers' }, /cannot drop 10 sublayers: at most 9/],
    ['a confidence of 1', { racingConfidence: 1 }, /^usage: A confidence of 1 makes no sense/],
  ];
  const all = [
    ...rows,
    ...searches.map(([what, change, says]) => [what, { greedy: { ...greedy, ...change } }, says] as const),
  ];
  it.each(all)('%s', async (_, measure, says) => {
    const events: EngineEvent[] = [];
    await expect(refused(measured('stories260k', 2, measure, {}, events))).resolves.toMatch(says);
    expect(events).toEqual([]);
  });
});

async function refused(run: Promise<unknown>): Promise<string> {
  let error: unknown = null;
  await run.catch((reason: unknown) => {
    error = reason;
  });
  return refusal(() => {
    if (error) throw error;
  });
}
