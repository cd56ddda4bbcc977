// Healing as a recipe: what it reports, what it evaluates on and begins with, and that the adapter that it leaves is worth what the
// report says.
import { describe, expect, it } from 'vitest';
import { readAdapter } from '../../server/checkpoint/adapter';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { moduleKey } from '../../server/model/adapter';
import type { EngineEvent } from '../../server/protocol/engine';
import type { TokenSource } from '../../server/protocol/recipes';
import { ofBlocks } from '../../server/shared/dropSets';
import { adapterBytes, type HealChange, openHealings } from './healing';
import { onCpu, runHere } from './runHere';

const { pruned, dense, orphan, other, place, heal } = openHealings();

const textOf = (change: Partial<Extract<TokenSource, { kind: 'text' }>> = {}): TokenSource => ({
  ...{ kind: 'text', files: [other], field: null, sequences: 6, tokens: 96, start: 0, bos: 'none' },
  ...{ sampling: 'consecutive', seed: 0 },
  ...change,
});
async function lossOf(model: string, source = textOf()): Promise<number> {
  const recipe = { kind: 'perplexity', models: [model], drop: ofBlocks([]), source, compute: onCpu } as const;
  return (await runHere({ ...recipe, models: [model] })).models[0]!.lossNats;
}

describe('a healing', () => {
  it('reports what it did, and told it on its way', async () => {
    const { report, events } = await heal();
    expect(report).toMatchObject({
      kind: 'heal',
      model: { nBlocks: 4 },
      adapter: {
        rank: 4,
        alpha: 8,
        blocks: [0, 1, 2, 3],
        nParameters: 16 * (2 * (64 + 64) + 2 * (64 + 32) + 3 * (64 + 172)),
      },
      data: { format: 'text', nTruncated: 0 },
      objective: { kind: 'nextToken' },
      stoppedBy: 'steps',
      warning: null,
    });
    expect(report.data.nHeldOutItems).toBe(Math.ceil(0.1 * (report.data.nHeldOutItems + report.data.nTrainingItems)));
    expect(report.adapter.normB).toBeGreaterThan(0);
    expect(report.steps.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, s) => s));
    expect(report.evals.map(({ step }) => step)).toEqual([0, 4, 8, 12]);
    const best = report.evals.toSorted((a, b) => a.lossNats - b.lossNats)[0]!;
    expect(report.bestStep).toBe(best.step);
    expect(report.healed!.lossNats).toBe(best.lossNats);
    expect(report.healed!.lossNats).toBeLessThan(report.pruned!.lossNats - 0.05);
    expect(report.evals[0]!.lossNats).toBeCloseTo(report.pruned!.lossNats, 6);
    const told = <K extends EngineEvent['kind']>(kind: K) =>
      events.filter((it): it is Extract<EngineEvent, { kind: K }> => it.kind === kind);
    expect(told('step').map(({ step }) => step)).toEqual(report.steps);
    expect(told('evaluation').map(({ evaluation }) => evaluation)).toEqual(report.evals);
    expect(told('references')).toEqual([{ kind: 'references', dense: report.dense, pruned: report.pruned }]);
    expect(told('healing')[0]).toMatchObject({ steps: 12, data: report.data });
  });

  it('is evaluated on another text, beside the original that lies beside it', async () => {
    const { report, out } = await heal({ data: { heldOutFraction: 0 }, loop: { heldOut: textOf() } });
    expect(report.data.nHeldOutItems).toBe(0);
    expect(report.dense!.lossNats).toBeCloseTo(await lossOf(dense), 5);
    expect(report.pruned!.lossNats).toBeCloseTo(await lossOf(pruned), 5);
    for (const { lossNats, recoveredFraction } of report.evals) {
      const gap = report.pruned!.lossNats - report.dense!.lossNats;
      expect(recoveredFraction).toBeCloseTo((report.pruned!.lossNats - lossNats) / gap, 9);
    }
    // Merged, it has the loss that the report says.
    const merged = place();
    await runHere({
      ...{ kind: 'merge', model: pruned, adapter: out, out: merged, dtype: null, maxShardBytes: null },
      compute: onCpu,
    });
    const found = await lossOf(merged);
    console.log(`healed ${report.healed!.lossNats} nats, merged ${found}`);
    expect(Math.abs(found - report.healed!.lossNats)).toBeLessThan(1e-5);
  });

  it('knows no original where none lies beside it, unless it is named', async () => {
    const loop = { steps: 1 };
    expect((await heal({ model: orphan, loop })).report.dense).toBeNull();
    expect((await heal({ model: orphan, loop, dense })).report.dense!.perplexity).toBeGreaterThan(1);
  });

  it('holds nothing out of a sequence, and keeps the last adapter', async () => {
    const { report, out } = await heal({ data: { order: 'sequential' }, loop: { steps: 3 } });
    expect(report).toMatchObject({ pruned: null, dense: null, healed: null, evals: [], bestStep: 3 });
    const { tensors } = await adapterOf(out);
    const norm = Math.hypot(...[...tensors.values()].map(({ b }) => Math.hypot(...b)));
    expect(norm / report.adapter.normB).toBeCloseTo(1, 5);
  });

  it('ends when its patience does, with the best adapter', async () => {
    // So fast that it soon gets worse, and not so fast that all is lost.
    const { report, out } = await heal({
      data: { heldOutFraction: 0 },
      optimizer: { learningRate: 0.02, schedule: 'constant', warmupSteps: 0 },
      loop: { steps: 60, evaluateEverySteps: 2, patience: 2, heldOut: textOf() },
    });
    console.log(`patience ended after ${report.steps.length} steps, the best was after ${report.bestStep}`);
    expect(report.stoppedBy).toBe('patience');
    expect(report.steps.length).toBe(report.bestStep + 4);
    expect(report.healed!.lossNats).toBe(Math.min(...report.evals.map(({ lossNats }) => lossNats)));
    const again = await heal({
      data: { heldOutFraction: 0 },
      adapter: { init: out },
      loop: { steps: 1, heldOut: textOf() },
    });
    expect(again.report.evals[0]!.lossNats).toBeCloseTo(report.healed!.lossNats, 6);
  });
});

const adapterOf = async (folder: string) => {
  const checkpoint = await openCheckpoint(pruned);
  await checkpoint.close();
  return readAdapter(folder, checkpoint.config);
};

describe('the adapter of a healing', () => {
  it('is what another begins with', async () => {
    const first = await heal({ adapter: { targets: ['q_proj', 'down_proj'], rank: 3 }, loop: { steps: 4 } });
    const { report } = await heal({ adapter: { init: first.out, rank: 77, targets: ['up_proj'] }, loop: { steps: 4 } });
    expect(report.adapter).toMatchObject({ rank: 3, targets: ['q_proj', 'down_proj'] });
    expect(report.evals[0]!.lossNats).toBeCloseTo(first.report.healed!.lossNats, 6);
    expect(report.pruned).toEqual(first.report.pruned);
  });

  it('has the modules, ranks and blocks that were asked for', async () => {
    const adapter = { targets: ['v_proj', 'up_proj'], blocks: [1, 3], rankPattern: { v_proj: 2 }, dropout: 0.1 };
    const { modules, options } = await adapterOf((await heal({ adapter, loop: { steps: 2 } })).out);
    expect(modules.map((it) => `${moduleKey(it)} ${it.rank}`)).toEqual(
      [1, 3].flatMap((k) => [`model.layers.${k}.self_attn.v_proj 2`, `model.layers.${k}.mlp.up_proj 4`]),
    );
    expect(options.dropout).toBe(0.1);
  });

  it('of no step changes nothing, and a warning says so', async () => {
    const { report, out } = await heal({ optimizer: { warmupSteps: 5 }, loop: { steps: 1 } });
    expect(report.warning).toMatch(/did not change/);
    expect(report.adapter.normB).toBe(0);
    for (const { b } of (await adapterOf(out)).tensors.values()) expect(b.every((x) => x === 0)).toBe(true);
  });

  it.each<HealChange>([
    { adapter: { dropout: 0.2 } },
    { loop: { activations: 'recompute' } },
    { compute: { ...onCpu, memory: 'streaming' } },
  ])('is the same whatever way it is computed: $loop $compute', async (change) => {
    const base = { adapter: { dropout: 0.2 } };
    const [one, two] = [await heal(base), await heal({ ...base, ...change })];
    for (const [s, step] of one.report.steps.entries())
      expect(two.report.steps[s]!.lossNats / step.lossNats).toBeCloseTo(1, 5);
    if (change.compute)
      expect([two.report.memory, adapterBytes(two.out)]).toEqual(['streaming', adapterBytes(one.out)]);
  });
});
