// Recipes whose matrices are held in fewer bits: what reports say of it, that it costs what two runs differ by, and that
// repair, healing, writing and questions work in every width.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { render } from '../../server/cli/renderers';
import { forwardMethodNames } from '../../server/shared/methods';
import type { EngineEvent, Plan } from '../../server/protocol/engine';
import type { ComputeOptions, TokenSource, WeightWidth } from '../../server/protocol/recipes';
import type { RunFacts } from '../../server/protocol/reports';
import type { Report } from '../../server/recipes/kinds';
import { reportMarkdown } from '../../server/reporting/reportMarkdown';
import { ofBlocks } from '../../server/shared/dropSets';
import { fixtures, storiesFolderWithBos } from '../evaluation/golden';
import { modelFolder, repoRoot } from '../fixtures';
import { openHealings } from './healing';
import { noLosses, onCpu, runHere } from './runHere';

const model = modelFolder('stories260k');
const root = mkdtempSync(join(tmpdir(), 'widths-'));
const stories = storiesFolderWithBos();
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
  stories.remove();
});
const healings = openHealings();
let n = 0;
const place = () => join(root, `out-${n++}`);

const narrow = ['f16', 'int8', 'int4'] as const;
const heldAs = (weights: WeightWidth): ComputeOptions => ({ ...onCpu, weights });
const textOf = (sequences: number, tokens = 128): TokenSource => ({
  kind: 'text',
  files: [join(repoRoot, 'media/demo/tinystories.txt')],
  field: null,
  sequences,
  tokens,
  start: 0,
  bos: 'none',
  sampling: 'consecutive',
  seed: 0,
});

const perplexity = (weights: WeightWidth, sequences = 12, drop = ofBlocks([])) =>
  runHere({ kind: 'perplexity', models: [model], drop, source: textOf(sequences), compute: heldAs(weights) });

/** Kinds that compute on text, each held in 4 bits. */
const kinds: Record<string, () => Promise<Report & RunFacts>> = {
  analyze: () =>
    runHere({
      kind: 'analyze',
      model,
      source: textOf(12),
      methods: ['all'],
      measure: noLosses,
      stay: false,
      compute: heldAs('int4'),
    }),
  prune: () =>
    runHere({
      ...{ kind: 'prune', model, source: textOf(12), repair: null, out: place(), dtype: null, mergekit: null },
      ...{ maxShardBytes: null, compute: heldAs('int4') },
      rule: { kind: 'method', method: 'blockInfluence', count: 1, protected: [] },
    }),
  perplexity: () => perplexity('int4'),
  heal: async () => (await healings.heal({ compute: heldAs('int4') })).report,
  evaluate: () =>
    runHere({
      ...{ kind: 'evaluate', models: [stories.folder], drops: [], tasks: ['piqa'], data: join(fixtures, 'data') },
      ...{ items: { first: 0, end: 10 }, fewShot: null, maxTokens: null, generate: false, samples: null },
      compute: heldAs('int4'),
    }),
};

describe.each(Object.entries(kinds))('%s in 4 bits', (kind, run) => {
  it('says what they cost, on a terminal too', async () => {
    const report = await run();
    const { weights, weightsCost: cost } = report;
    expect(weights).toBe('int4');
    const tokens = cost!.nSequences * cost!.tokensPerSequence;
    expect(tokens).toBeGreaterThan(kind === 'evaluate' ? 200 : 100);
    expect(tokens).toBeLessThanOrEqual(1024);
    expect(cost!.lossNats - cost!.float32LossNats).toBeCloseTo(cost!.costNats, 9);
    expect(Math.abs(cost!.costNats)).toBeGreaterThan(1e-3);
    expect(Math.abs(cost!.costNats)).toBeLessThan(0.5);
    expect(cost!.costStandardError).toBeGreaterThan(0);
    expect(render(report)).toMatch(
      /\nmatrices held as int4; [+−]0\.\d{4} ± 0\.\d{4} nats against float32 on the first .* tokens$/,
    );
    if (report.kind === 'evaluate')
      expect(reportMarkdown(report, [], () => '')).toMatch(/- Matrices held as: int4; [+−]0\.\d{4} ± 0\.\d{4} nats/);
  });
});

describe('the cost', () => {
  it.each(narrow)('of %s is what two runs differ by', async (weights) => {
    const { weightsCost: cost } = await perplexity(weights);
    expect(cost).toMatchObject({ nSequences: 8, tokensPerSequence: 128 });
    const [held, float32] = [(await perplexity(weights, 8)).models[0]!, (await perplexity('f32', 8)).models[0]!];
    expect(cost!.lossNats).toBeCloseTo(held.lossNats, 5);
    expect(cost!.float32LossNats).toBeCloseTo(float32.lossNats, 5);
  });

  it('is that of the path without what is left out', async () => {
    const drop = ofBlocks([2]);
    const { weightsCost: cost, models } = await perplexity('int8', 8, drop);
    expect(cost!.lossNats).toBeCloseTo(models[0]!.lossNats, 5);
    expect(cost!.float32LossNats).toBeCloseTo((await perplexity('f32', 8, drop)).models[0]!.lossNats, 5);
  });

  it('is not measured in float32, and where there is no text', async () => {
    expect(await perplexity('f32')).not.toHaveProperty('weightsCost');
    const text = await runHere({
      ...{ kind: 'generate', model, prompt: 'Once', maxTokens: 4, drop: ofBlocks([]), bos: 'tokenizer', cache: true },
      compute: heldAs('int8'),
    });
    expect(text).toMatchObject({ weights: 'int8' });
    expect(text).not.toHaveProperty('weightsCost');
    expect(render(text)).toMatch(/\nmatrices held as int8$/);
  });

  it('is in the plan, where it takes more memory than the run itself', async () => {
    const totalOf = async (weights: WeightWidth) => {
      const events: EngineEvent[] = [];
      const compute = { ...heldAs(weights), memory: 'streaming' as const };
      await runHere({ kind: 'perplexity', models: [model], drop: ofBlocks([]), source: textOf(8), compute }, events);
      return (events.find(({ kind }) => kind === 'plan') as { plan: Plan }).plan;
    };
    const [float32, held] = [await totalOf('f32'), await totalOf('int4')];
    expect(held.bytes.weights).toBeLessThan(float32.bytes.weights);
    expect(held.totalBytes).toBe(float32.totalBytes);
    expect(held).toMatchObject({ weights: 'int4' });
  });
});

/** Nats, by a healing of 30 steps whose frozen weights are held so. */
async function broughtBack(width: WeightWidth): Promise<number> {
  const loop = { steps: 30, evaluateEverySteps: 30 };
  const { report } = await healings.heal({ compute: heldAs(width), loop, data: { heldOutFraction: 0.2 } });
  expect(report.weights).toBe(width);
  return report.pruned!.lossNats - report.evals.at(-1)!.lossNats;
}
let inFloat32: Promise<number> | undefined;

describe.each(narrow)('held as %s', (weights) => {
  it('a repair brings back what it does in float32', async () => {
    const repair = async (width: WeightWidth) => {
      const report = await runHere({
        ...{
          kind: 'prune',
          model,
          source: textOf(16),
          out: place(),
          dtype: 'f32',
          mergekit: null,
          maxShardBytes: null,
        },
        repair: { kind: 'linear', ridge: 1e-3, heldOutSequences: null },
        rule: { kind: 'chosen', ...ofBlocks([3]) },
        compute: heldAs(width),
      });
      const { lossBefore, lossAfter } = report.repair!;
      const { models } = await runHere({
        ...{ kind: 'perplexity', models: [report.out], drop: ofBlocks([]), source: textOf(16), compute: onCpu },
      });
      return { broughtBack: lossBefore - lossAfter, written: models[0]!.lossNats };
    };
    const [held, float32] = [await repair(weights), await repair('f32')];
    const most = { f16: 0.01, int8: 0.05, int4: 0.25 }[weights];
    expect(Math.abs(held.broughtBack / float32.broughtBack - 1)).toBeLessThan(most);
    // The repaired weights are written in full, whatever width they were found in.
    expect(Math.abs(held.written - float32.written)).toBeLessThan(weights === 'int4' ? 0.05 : 5e-3);
  });

  it('a healing with frozen weights so narrow brings back what it does in float32', async () => {
    const [held, float32] = [await broughtBack(weights), await (inFloat32 ??= broughtBack('f32'))];
    console.log(`held as ${weights} healing brings back ${held.toFixed(4)} nats, in float32 ${float32.toFixed(4)}`);
    expect(float32).toBeGreaterThan(0.1);
    expect(Math.abs(held / float32 - 1)).toBeLessThan(0.1);
  });

  it('a healing that goes on in auto has the width that it was begun in', async () => {
    const { report, out } = await healings.heal({ compute: heldAs(weights) }, (event, tell) => {
      if (event.kind === 'step' && event.step.step === 2) tell('stopAndSave');
    });
    expect(report.weights).toBe(weights);
    const resumed = await healings.heal({ out, resume: true, compute: { ...onCpu, weights: 'auto' } });
    expect(resumed.report).toMatchObject({ weights, weightsCost: { nSequences: expect.any(Number) } });
  });

  it('an analysis finds the scores of float32 nearly', async () => {
    const analyze = (width: WeightWidth) =>
      runHere({
        kind: 'analyze',
        model,
        source: textOf(4),
        methods: ['all'],
        measure: noLosses,
        stay: false,
        compute: heldAs(width),
      });
    const [held, float32] = [await analyze(weights), await analyze('f32')];
    expect(Object.keys(held.methods)).toEqual([...forwardMethodNames]);
    const most = { f16: 2e-3, int8: 0.05, int4: 0.5 }[weights];
    for (const [name, { scores }] of Object.entries(held.methods))
      for (const [k, score] of scores.flat().entries())
        expect(Math.abs(score / (float32.methods[name]!.scores.flat()[k] as number) - 1), name).toBeLessThan(most);
  });
});
