// Every importance method against PyTorch's numbers, and the same numbers however the work is cut up.
// The references are made by make_reference.py, which lies beside them in the data folder.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Analysis, analyze } from '../../server/analysis/analyze';
import { type ImportanceMethodName, importanceMethodNames } from '../../server/shared/methods';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import type { ComputeOptions } from '../../server/protocol/recipes';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import { openDevice } from '../../server/runtime/device';
import { type MemoryPlan, planExecution } from '../../server/execution/memoryPlan';
import { preload } from '../../server/execution/forward';
import { residentStore, streamingStore } from '../../server/execution/weightStore';
import { available, modelFolder, referenceFile } from '../fixtures';
import { noLosses, onCpu, runHere } from '../recipes/runHere';

/** Where the reference keeps a method, and a neighbour that must not pass for it: the nearest wrong formula. */
const rows: Record<ImportanceMethodName, { key: string; wrong: string }> = {
  blockInfluence: { key: 'block_influence', wrong: 'block_influence_final_norm' },
  blockInfluenceAsPublished: { key: 'block_influence_final_norm', wrong: 'block_influence' },
  angularDistance: { key: 'angular_last_token', wrong: 'angular_all_tokens' },
  angularDistanceAllTokens: { key: 'angular_all_tokens', wrong: 'angular_last_token' },
  relativeMagnitude: { key: 'relative_magnitude.over_output', wrong: 'relative_magnitude.over_input' },
  weightMagnitude: { key: 'magnitude.l1', wrong: 'magnitude.l1_projections' },
  weightFrobenius: { key: 'magnitude.l2', wrong: 'magnitude.l1' },
  attentionWeightNorm: { key: 'attention_weight_norm', wrong: 'magnitude.l2' },
  attentionOutputNorm: { key: 'attention_output.norm', wrong: 'mlp_output.norm' },
  mlpOutputNorm: { key: 'mlp_output.norm', wrong: 'relative_magnitude.l2' },
  relativeAttentionNorm: { key: 'attention_output.over_input', wrong: 'mlp_output.over_input' },
  relativeMlpNorm: { key: 'mlp_output.over_input', wrong: 'relative_magnitude.over_input' },
  attentionInfluence: { key: 'sublayer_influence.attention', wrong: 'sublayer_influence.mlp' },
  mlpInfluence: { key: 'sublayer_influence.mlp', wrong: 'sublayer_influence.attention' },
  taylor: { key: 'taylor.projections', wrong: 'taylor.with_norms' },
};
const methods = Object.entries(rows).map(([name, row]) => ({ name: name as ImportanceMethodName, ...row }));
const tolerance = 1e-4;
const lossTolerance = 1e-5;

type Scores = number[] | number[][];

function referenceOf(file: string) {
  const json = JSON.parse(readFileSync(file, 'utf8'));
  return {
    file,
    ids: json.ids as number[][],
    dense: json.dense as { loss: number; loss_per_window: number[] },
    influencePerSequence: json.block_influence_per_window as number[][],
    scores: (key: string): Scores => key.split('.').reduce((value, part) => value[part], json),
  };
}

const analysisOf = (model: string, file: string, compute: ComputeOptions = onCpu): Promise<AnalyzeReport> =>
  runHere({
    kind: 'analyze',
    model: modelFolder(model),
    source: { kind: 'ids', file },
    methods: ['all', 'taylor'],
    measure: noLosses,
    stay: false,
    compute,
  });

/** The largest relative difference; infinite where the shapes differ. */
function worst(actual: Scores, expected: Scores): number {
  const shape = (scores: Scores) => JSON.stringify(scores.map((row) => (Array.isArray(row) ? row.length : 1)));
  if (shape(actual) !== shape(expected)) return Number.POSITIVE_INFINITY;
  const wanted = expected.flat();
  const off = actual.flat().map((score, i) => Math.abs(score - wanted[i]!) / Math.abs(wanted[i]!));
  return off.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(...off);
}

describe('the ruler', () => {
  it.each([
    ['the same', [1, 2], [1, 2], 0],
    ['a little off', [1, 2.0004], [1, 2], 2e-4],
    ['one missing', [1], [1, 2], Number.POSITIVE_INFINITY],
    ['not a number', [1, Number.NaN], [1, 2], Number.POSITIVE_INFINITY],
    ['rows of other lengths', [[1, 2], [3]], [[1], [2, 3]], Number.POSITIVE_INFINITY],
  ])('%s', (_, actual, expected, off) => {
    expect(worst(actual, expected)).toBeCloseTo(off, 9);
  });

  it('has a row for every method', () => {
    expect(Object.keys(rows).sort()).toEqual([...importanceMethodNames].sort());
  });
});

describe.each(['stories260k', 'smollm2-135m'])('%s gives what PyTorch gives', (model) => {
  describe.skipIf(!available(modelFolder(model)))('', () => {
    const reference = referenceOf(referenceFile(model));
    let report: AnalyzeReport;
    beforeAll(async () => {
      report = await analysisOf(model, reference.file);
    });

    it.each(methods)('$name is $key', ({ name, key }) => {
      expect(worst(report.methods[name]!.scores, reference.scores(key))).toBeLessThan(tolerance);
    });

    it.each(methods)('$name is not $wrong', ({ name, wrong }) => {
      expect(worst(report.methods[name]!.scores, reference.scores(wrong))).toBeGreaterThan(5 * tolerance);
    });

    it('the loss of every sequence and of all', () => {
      expect(Math.abs(report.lossNats - reference.dense.loss)).toBeLessThan(lossTolerance);
      expect(report.perplexity).toBe(Math.exp(report.lossNats));
      for (const [w, loss] of reference.dense.loss_per_window.entries())
        expect(Math.abs(report.lossPerSequence[w]! - loss)).toBeLessThan(lossTolerance);
      expect(report.lossPerSequence).toHaveLength(reference.ids.length);
      expect(worst([report.lossStandardError!], [standardError(reference.dense.loss_per_window)])).toBeLessThan(
        tolerance,
      );
    });

    it('standard errors are the deviation over sequences by the root of their number', () => {
      const expected = report.methods.blockInfluence!.scores.map((_, k) =>
        standardError(reference.influencePerSequence.map((sequence) => sequence[k]!)),
      );
      expect(worst(report.methods.blockInfluence!.standardErrors as number[], expected)).toBeLessThan(tolerance);
    });

    it('weights have no deviation over sequences', () => {
      for (const name of ['weightMagnitude', 'weightFrobenius', 'attentionWeightNorm'])
        expect(report.methods[name]!.standardErrors).toEqual(report.methods[name]!.scores.map(() => 0));
    });
  });
});

function standardError(values: number[]): number {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1)) / Math.sqrt(values.length);
}

// Of few tokens: how the work is cut up does not depend on how long the sequences are.
describe('stories260k gives the same numbers', () => {
  const reference = referenceOf(referenceFile('stories260k', 'short'));
  const agrees = ({ methods: found, lossPerSequence }: Pick<Analysis, 'methods' | 'lossPerSequence'>) => {
    for (const { name, key } of methods)
      expect(worst(found[name]!.scores, reference.scores(key)), name).toBeLessThan(tolerance);
    for (const [w, loss] of reference.dense.loss_per_window.entries())
      expect(Math.abs(lossPerSequence[w]! - loss)).toBeLessThan(lossTolerance);
  };

  it.each([
    ['with weights streamed', { memory: 'streaming' as const }],
    ['on one thread', { threads: 1 }],
  ])('%s', async (_, compute) => {
    agrees(await analysisOf('stories260k', reference.file, { ...onCpu, ...compute }));
  });

  const plans: [string, Partial<MemoryPlan>][] = [
    ['sequence by sequence', { microBatchSequences: 1, groupSequences: 1 }],
    ['three at a time, the last two left over', { microBatchSequences: 3, groupSequences: 3 }],
    ['all at once', { microBatchSequences: 8, groupSequences: 8 }],
    ['the head in slices that do not divide the vocabulary', { headSliceRows: 100 }],
    ['streamed, groups of two micro-batches', { mode: 'streaming', microBatchSequences: 2, groupSequences: 4 }],
    ['streamed, groups that end in a smaller one', { mode: 'streaming', microBatchSequences: 3, groupSequences: 6 }],
    ['streamed in one group', { mode: 'streaming', microBatchSequences: 1, groupSequences: 8, headSliceRows: 33 }],
  ];
  it.each(plans)('%s', async (_, plan) => {
    agrees(await analysisByPlan(reference.ids, plan));
  });

  it('of a single sequence, with nothing to tell of how sure they are', async () => {
    const one = await analysisByPlan(reference.ids.slice(0, 1), {});
    expect(worst(one.methods.blockInfluence!.scores, reference.influencePerSequence[0]!)).toBeLessThan(tolerance);
    expect(one.lossStandardError).toBeNull();
    for (const { standardErrors } of Object.values(one.methods))
      expect(new Set((standardErrors as unknown[]).flat())).toEqual(new Set([null]));
  });

  it('bit for bit when it is run twice', async () => {
    const [first, second] = [
      await analysisOf('stories260k', reference.file),
      await analysisOf('stories260k', reference.file),
    ];
    const numbers = ({ lossNats, lossPerSequence, methods, source }: AnalyzeReport) => ({
      lossNats,
      lossPerSequence,
      methods,
      source,
    });
    expect(numbers(second)).toEqual(numbers(first));
  });

  it('whatever else is asked for', async () => {
    const source = { kind: 'ids', file: reference.file } as const;
    const model = modelFolder('stories260k');
    const all = await analysisOf('stories260k', reference.file);
    for (const { name } of methods) {
      const recipe = { model, source, methods: [name], measure: noLosses, stay: false, compute: onCpu };
      const alone = await runHere({ kind: 'analyze', ...recipe });
      expect(alone.methods).toEqual({ [name]: all.methods[name] });
      expect(alone.lossPerSequence).toEqual(all.lossPerSequence);
    }
  });
});

/** An analysis by a plan that differs in some points from the one that would have been made. */
async function analysisByPlan(ids: number[][], changed: Partial<MemoryPlan>): Promise<Analysis> {
  const checkpoint = await openCheckpoint(modelFolder('stories260k'));
  const device = await openDevice({ provider: 'cpu', threads: 2 });
  const { config } = checkpoint;
  const request = { nSequences: ids.length, tokensPerSequence: ids[0]!.length, keepStates: true, limitBytes: 4e9 };
  const plan = { ...planExecution(config, { ...request, memory: 'auto' }), ...changed };
  const store = plan.mode === 'resident' ? residentStore(checkpoint, device) : streamingStore(checkpoint, device);
  try {
    const model = { checkpoint, config, device, store, plan };
    await preload(model);
    const sequences = ids.map((row) => Int32Array.from(row));
    return await analyze(model, sequences, importanceMethodNames);
  } finally {
    store[Symbol.dispose]();
    await device.close();
    await checkpoint.close();
  }
}
