// Healing as a recipe: what it reports, what it judges by and begins with, how it ends and goes on, and that the adapter it
// leaves is worth what the report says.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAdapter } from '../../server/checkpoint/adapter';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { moduleKey } from '../../server/model/adapter';
import type { EngineEvent, HealReport, RunControl, TokenSource } from '../../server/protocol';
import { ofBlocks } from '../../server/pruning/dropSet';
import { runRecipe } from '../../server/recipes/run';
import { modelFolder } from '../fixtures';
import { type HealChange, healing, storyText } from './healing';
import { onCpu, runHere } from './runHere';

const root = mkdtempSync(join(tmpdir(), 'heal-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
/** The dense model lies beside the pruned one, as espalier.json names it; beside the orphan it does not. */
const pruned = join(root, 'pruned');
const dense = join(root, 'stories260k');
const orphan = join(root, 'alone', 'pruned');
const text = join(root, 'text.txt');
const other = join(root, 'other.txt');

beforeAll(async () => {
  cpSync(modelFolder('stories260k'), dense, { recursive: true });
  const rule = { kind: 'chosen', ...ofBlocks([3]) } as const;
  const nothing = { source: null, repair: null, maxShardBytes: null, mergekit: null };
  await runHere({ kind: 'prune', model: dense, rule, ...nothing, out: pruned, dtype: 'f32', compute: onCpu });
  cpSync(pruned, orphan, { recursive: true });
  writeFileSync(text, storyText(400));
  writeFileSync(other, storyText(900).slice(-20_000));
});

let n = 0;
const place = () => join(root, `out-${n++}`);
/** Runs it; `control` sees every event and may tell the run something. */
async function heal(
  change: HealChange = {},
  control?: (event: EngineEvent, tell: (action: RunControl) => void) => void,
): Promise<{ report: HealReport; events: EngineEvent[]; out: string }> {
  const out = change.out ?? place();
  const events: EngineEvent[] = [];
  let tell = (_: RunControl) => {};
  const run = {
    signal: new AbortController().signal,
    emit(event: EngineEvent) {
      events.push(event);
      control?.(event, tell);
    },
    onControl: (listener: typeof tell) => void (tell = listener),
  };
  const report = (await runRecipe(healing(change.model ?? pruned, text, out, change), run)) as HealReport;
  return { report, events, out };
}

const textOf = (change: Partial<Extract<TokenSource, { kind: 'text' }>> = {}): TokenSource => ({
  ...{ kind: 'text', files: [other], field: null, windows: 6, tokens: 96, start: 0, bos: 'none' },
  ...{ sampling: 'consecutive', seed: 0 },
  ...change,
});
async function lossOf(model: string, source = textOf()): Promise<number> {
  const recipe = { kind: 'perplexity', models: [model], drop: ofBlocks([]), source, compute: onCpu } as const;
  return (await runHere({ ...recipe, models: [model] })).models[0]!.lossNats;
}
const numbers = ({ steps }: HealReport) => steps.map(({ tokensPerSecond: _, ...step }) => step);
const bytes = (out: string) => readFileSync(join(out, 'adapter_model.safetensors')).toString('base64');

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

  it('is judged by another text, beside the dense model that lies beside it', async () => {
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

  it('knows no dense model where none lies beside it, unless it is named', async () => {
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
    // So fast that it only gets worse.
    const { report } = await heal({
      optimizer: { learningRate: 0.3, warmupSteps: 0, clipNorm: null },
      loop: { steps: 20, evaluateEverySteps: 1, patience: 2 },
    });
    expect(report.stoppedBy === 'patience' || report.stoppedBy === 'divergence').toBe(true);
    expect(report.steps.length).toBeLessThan(20);
    expect(report.healed!.lossNats).toBe(Math.min(...report.evals.map(({ lossNats }) => lossNats)));
  });

  it('pauses, goes on and stops when it is told to, judged and saved', async () => {
    const whole = await heal();
    const { report, events, out } = await heal({}, (event, tell) => {
      if (event.kind === 'step' && event.step.step === 2) tell('pause');
      if (event.kind === 'paused' && event.paused) setTimeout(() => tell('continue'), 50);
      if (event.kind === 'step' && event.step.step === 4) tell('stopAndSave');
    });
    expect(events.filter(({ kind }) => kind === 'paused')).toHaveLength(2);
    expect(report).toMatchObject({ stoppedBy: 'request' });
    expect(numbers(report)).toEqual(numbers(whole.report).slice(0, 5));
    expect(report.evals.at(-1)!.step).toBe(5);
    // It goes on to what it would have been, with one judgement more.
    const rest = await heal({ out, resume: true });
    expect(numbers(rest.report)).toEqual(numbers(whole.report));
    expect(rest.report.evals.filter(({ step }) => step !== 5)).toEqual(whole.report.evals);
    expect(rest.report.pruned).toEqual(whole.report.pruned);
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
    if (change.compute) expect([two.report.memory, bytes(two.out)]).toEqual(['streaming', bytes(one.out)]);
  });
});

describe('going on', () => {
  it('after the end changes nothing', async () => {
    const { report, out } = await heal();
    const before = bytes(out);
    const again = await heal({ out, resume: true });
    expect(again.report).toMatchObject({ steps: report.steps, evals: report.evals, healed: report.healed });
    expect(bytes(out)).toBe(before);
  });

  it.each<[string, HealChange]>([
    ['loop.steps = 12, not 20', { loop: { steps: 20 } }],
    ['optimizer.learningRate = 0.005, not 0.01', { optimizer: { learningRate: 0.01 } }],
    ['adapter.rank = 4, not 5', { adapter: { rank: 5 } }],
    ['data.seed = 0, not 1', { data: { seed: 1 } }],
    [
      'objective.kind = "nextToken", not "distillation"',
      { objective: { kind: 'distillation', topK: 4, temperature: 1 } },
    ],
    ['other data', { data: { files: [] } }],
  ])('is refused where the run was begun with %s', async (difference, change) => {
    const { out } = await heal();
    const data = change.data?.files ? { files: [other] } : change.data;
    const resumed = heal({ ...change, ...(data && { data }), out, resume: true });
    await expect(resumed).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(difference) });
  });

  it('takes other ways of computing and saving', async () => {
    const { out } = await heal({}, (event, tell) => {
      if (event.kind === 'step' && event.step.step === 6) tell('stopAndSave');
    });
    const loop = { activations: 'recompute', saveEverySteps: 2 } as const;
    const { report } = await heal({ out, resume: true, loop, compute: { ...onCpu, memory: 'streaming' } });
    expect(report).toMatchObject({ stoppedBy: 'steps', memory: 'streaming' });
    expect(report.steps).toHaveLength(12);
  });
});

describe('distillation', () => {
  const objective = { kind: 'distillation', topK: 16, temperature: 2 } as const;

  it('brings the held-out loss down', async () => {
    const { report } = await heal({ objective, loop: { steps: 16 } });
    expect(report.objective).toEqual(objective);
    expect(report.healed!.lossNats).toBeLessThan(report.pruned!.lossNats - 0.02);
    expect(report.steps.at(-1)!.lossNats).toBeLessThan(report.steps[0]!.lossNats);
    console.log(
      `distilled: ${report.pruned!.lossNats} to ${report.healed!.lossNats} nats, dense ${report.dense!.lossNats}`,
    );
  });

  it('from the model itself has nothing to learn', async () => {
    const { report } = await heal({ objective, dense: pruned, loop: { steps: 2 } });
    for (const { lossNats } of report.steps) expect(Math.abs(lossNats)).toBeLessThan(1e-4);
  });

  it('without a dense model is refused, and nothing is left', async () => {
    const out = place();
    await expect(heal({ model: orphan, out, objective })).rejects.toThrow(/say where it is by --dense/);
    expect(existsSync(out)).toBe(false);
  });
});

it('instructions are learned through the chat template of the model', async () => {
  const model = join(root, 'chatty');
  cpSync(orphan, model, { recursive: true });
  const file = join(model, 'tokenizer_config.json');
  const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const chat_template = "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}";
  writeFileSync(file, JSON.stringify({ ...known, chat_template }));
  const rows = Array.from({ length: 12 }, (_, i) => ({
    instruction: `Say ${i} dogs.`,
    output: 'The dog ran home. '.repeat(1 + (i % 4)),
  }));
  const instructions = join(root, 'instructions.jsonl');
  writeFileSync(instructions, rows.map((row) => JSON.stringify(row)).join('\n'));
  const { report } = await heal({ model, data: { files: [instructions], heldOutFraction: 0.2 } });
  expect(report.data).toMatchObject({ format: 'instructions', nTrainingItems: 9, nHeldOutItems: 3 });
  expect(report.data.nCountedTokens).toBeLessThan(report.data.nTokens);
  expect(report.healed!.lossNats).toBeLessThan(report.pruned!.lossNats - 0.5);
});
