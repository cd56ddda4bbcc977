// What is NaN or infinite is said and never reported, chosen by or written: faults in weights by the commands that meet them,
// and losses that overflow only without a block.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { render } from '../../server/cli/renderers';
import { readReport, suggest } from '../../server/cli/suggest';
import type { EngineEvent } from '../../server/protocol/engine';
import type { DropRule } from '../../server/protocol/recipes';
import { choose } from '../../server/pruning/choose';
import { evaluateReportSchema, harnessResultsSchema } from '../../server/recipes/evaluate/reportSchema';
import { harnessResults } from '../../server/evaluation/harnessResults';
import { meanAccuracy } from '../../server/evaluation/meanAccuracy';
import { type ReportSource, reportOf } from '../../server/evaluation/reportFromHarness';
import { evaluationCharts } from '../../server/reporting/evaluationCharts';
import { reportMarkdown } from '../../server/reporting/reportMarkdown';
import type { EvaluateReport } from '../../server/recipes/evaluate/recipe';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import type { Recipe } from '../../server/recipes/kinds';
import { checkFinite, finiteJson, perplexityOf as perplexityOfNats } from '../../server/shared/finite';
import { ofBlocks } from '../../server/shared/dropSets';
import { modelFolder, repoRoot } from '../fixtures';
import { fixtures, storiesFolderWithBos } from '../evaluation/golden';
import { type Fault, writeFaulty, writeOverflowing } from './faults';
import { healing, storyText } from './healing';
import { noLosses, onCpu, runHere } from './runHere';
import { openStudies } from './studies';

const root = mkdtempSync(join(tmpdir(), 'not-finite-'));
const bos = storiesFolderWithBos();
const [stories, text] = [modelFolder('stories260k'), join(root, 'text.txt')];
const family = (name: string) => join(repoRoot, 'test/fixtures/families', name);
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
  bos.remove();
});
let n = 0;
const place = () => join(root, `${n++}`);

const source = { kind: 'text', files: [text], field: null, sequences: 2, tokens: 32, start: 0, bos: 'none' } as const;
const cut = { ...source, files: [text], sampling: 'consecutive' as const, seed: 0 };
const streaming = { ...onCpu, memory: 'streaming' as const };

/** Code and sentence of what a recipe is refused with. */
const refusalOf = (recipe: Recipe) =>
  runHere(recipe).then(
    () => 'accepted',
    ({ code, message }) => `${code}: ${message}`,
  );

const perplexityOf = (model: string, compute = onCpu, ids?: string): Recipe => {
  const from = ids ? ({ kind: 'ids', file: ids } as const) : cut;
  return { kind: 'perplexity', models: [model], drop: ofBlocks([]), source: from, compute };
};

const byMethod = (method: string, count: number): DropRule => ({ kind: 'method', method, count, protected: [] });

beforeAll(() => writeFileSync(text, storyText(60)));

describe('a weight that is not finite is named', () => {
  const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minusInf } = Number;
  const layer = (block: number, suffix: string) => `model.layers.${block}.${suffix}`;
  it.each<[string, Fault, 'f32' | 'f16' | 'bf16', string]>([
    ['NaN in an MLP', { weight: layer(2, 'mlp.down_proj.weight'), at: 173, value: nan }, 'f32', '[1, 1]'],
    ['Inf in an attention', { weight: layer(0, 'self_attn.q_proj.weight'), at: 0, value: inf }, 'f32', '[0, 0]'],
    ['-Inf in the last block', { weight: layer(4, 'mlp.up_proj.weight'), at: 65, value: minusInf }, 'f32', '[1, 1]'],
    ['NaN in the embedding', { weight: 'model.embed_tokens.weight', at: 64 * 511 + 3, value: nan }, 'f32', '[511, 3]'],
    ['NaN in a norm', { weight: layer(1, 'input_layernorm.weight'), at: 7, value: nan }, 'f32', '[7]'],
    ['Inf in the last norm', { weight: 'model.norm.weight', at: 63, value: inf }, 'f32', '[63]'],
    ['an overflow of f16', { weight: layer(3, 'self_attn.o_proj.weight'), at: 64, value: inf }, 'f16', '[1, 0]'],
    ['NaN in bf16', { weight: layer(3, 'self_attn.v_proj.weight'), at: 1, value: nan }, 'bf16', '[0, 1]'],
  ])('%s', async (_, fault, dtype, index) => {
    const model = await writeFaulty(stories, place(), [fault], dtype === 'f32' ? null : dtype);
    const value = Number.isNaN(fault.value) ? 'NaN' : fault.value > 0 ? 'Inf' : '-Inf';
    const named = `because ${fault.weight}${index} in model.safetensors is ${value}; get the weights again`;
    for (const compute of [onCpu, streaming]) {
      const sentence = await refusalOf(perplexityOf(model, compute));
      expect(sentence).toMatch(/^notFinite: The loss of \d+ is not finite, /);
      expect(sentence).toContain(named);
    }
  });

  it.each<[string, string, number]>([
    ['qwen2', layer(1, 'self_attn.k_proj.bias'), 3],
    ['llama-bias', layer(0, 'mlp.down_proj.bias'), 5],
    ['llama2', 'lm_head.weight', 32],
  ])('in the head and the biases of %s: %s', async (name, weight, at) => {
    const model = await writeFaulty(family(name), place(), [{ weight, at, value: Number.NaN }]);
    const ids = `${place()}.json`;
    writeFileSync(ids, JSON.stringify([[3, 5, 7, 9, 11, 13, 15, 17]]));
    expect(await refusalOf(perplexityOf(model, onCpu, ids))).toContain(`${weight}[`);
  });
});

describe('a model with NaN in a weight', () => {
  let bad = '';
  const weight = 'model.layers.2.mlp.down_proj.weight';
  beforeAll(async () => {
    bad = await writeFaulty(bos.folder, place(), [{ weight, at: 0, value: Number.NaN }]);
  });
  const out = () => place();
  const studies = openStudies();
  const prune = (method: string): Recipe => {
    const rule = byMethod(method, 1);
    const nothing = { repair: null, dtype: null, maxShardBytes: null, mergekit: null, compute: onCpu };
    return { kind: 'prune', model: bad, rule, source: cut, out: out(), ...nothing } as Recipe;
  };
  const written = { dtype: null, maxShardBytes: null, compute: onCpu } as const;
  const analysis = { kind: 'analyze', source: cut, stay: false, compute: onCpu, measure: noLosses } as const;
  const scored = { fewShot: null, maxTokens: null, generate: false, samples: null, compute: onCpu } as const;

  it.each<[string, () => Recipe]>([
    ['analyze', () => ({ ...analysis, model: bad, methods: ['all', 'taylor'] })],
    ['analyze, streaming', () => ({ ...analysis, model: bad, methods: ['none'], compute: streaming })],
    ...['blockInfluence', 'weightMagnitude', 'angularDistance', 'taylor', 'removal', 'greedy'].map(
      (method) => [`prune by ${method}`, () => prune(method)] as [string, () => Recipe],
    ),
    [
      'prune with a repair',
      () => ({ ...prune('removal'), rule: { kind: 'chosen', ...ofBlocks([1]) }, repair: repair(1e-4) }) as Recipe,
    ],
    [
      'prune by name that rounds',
      () => ({ ...prune('removal'), rule: { kind: 'chosen', ...ofBlocks([1]) }, dtype: 'f16' }) as Recipe,
    ],
    ['heal', () => healing(bad, text, out())],
    ['heal that holds nothing out', () => healing(bad, text, out(), { data: { heldOutFraction: 0 } })],
    ['distil from it', () => distilled({ data: { heldOutFraction: 0 } })],
    ['evaluate', () => evaluation()],
    ['generate', () => generation(true)],
    ['generate without a cache', () => generation(false)],
    ['sparsify', () => ({ kind: 'sparsify', model: bad, ratio: 0.5, source: null, out: out(), ...written })],
    ['study', () => studies.studyOf({ model: bad, out: out() })],
  ])('is refused by %s, and nothing is written', async (_, recipeOf) => {
    const recipe = recipeOf();
    expect(await refusalOf(recipe)).toMatch(
      /^notFinite: .*model\.layers\.2\.mlp\.down_proj\.weight\[0, 0\] in model\.safetensors is NaN/,
    );
    const keepsState = ['heal', 'study'].includes(recipe.kind);
    if ('out' in recipe && !keepsState) expect(existsSync(recipe.out)).toBe(false);
  });

  it('is one that the rest can be made of, where what is bad goes by name', async () => {
    const recipe = { ...prune('removal'), rule: { kind: 'chosen', ...ofBlocks([2]) }, source: null } as Recipe;
    expect(await refusalOf(recipe)).toBe('accepted');
    expect(await refusalOf(perplexityOf((recipe as { out: string }).out))).toBe('accepted');
  });

  const repair = (ridge: number) => ({ kind: 'linear', ridge, heldOutSequences: null });
  const generation = (cache: boolean): Recipe => {
    const prompt = { prompt: 'Once', bos: 'each' as const, maxTokens: 2 };
    return { kind: 'generate', model: bad, ...prompt, drop: ofBlocks([]), cache, compute: onCpu };
  };
  const distilled = (change: object): Recipe =>
    healing(stories, text, out(), {
      dense: bad,
      objective: { kind: 'distillation', topK: 4, temperature: 1 } as never,
      loop: { steps: 1 },
      ...change,
    });
  const evaluation = (): Recipe => ({
    kind: 'evaluate',
    models: [bad],
    drops: [],
    tasks: ['arc_easy'],
    data: join(fixtures, 'data'),
    items: { first: 0, end: 2 },
    ...scored,
  });
});

describe('an adapter and what it is merged into', () => {
  const merge = (model: string, adapter: string): Recipe => ({
    ...{ kind: 'merge', model, adapter, out: place() },
    ...{ dtype: null, maxShardBytes: null, compute: onCpu },
  });
  const healed = join(root, 'healed');
  beforeAll(() => runHere(healing(stories, text, healed, { loop: { steps: 2, evaluateEverySteps: 2 } })));

  it('refuses an adapter with NaN, and a merge into a weight with Inf', async () => {
    const lost = place();
    cpSync(healed, lost, { recursive: true });
    const file = readdirSync(lost).find((name) => name.endsWith('.safetensors'))!;
    writeFileSync(join(lost, file), withLastNumber(join(lost, file), Number.NaN));
    expect(await refusalOf(merge(stories, lost))).toMatch(/^damagedCheckpoint: .*not finite/);
    const bad = await writeFaulty(stories, place(), [{ weight: 'model.norm.weight', at: 1, value: Infinity }]);
    const recipe = merge(bad, healed);
    expect(await refusalOf(recipe)).toMatch(/^notFinite: model\.norm\.weight\[1\] in model\.safetensors is Inf/);
    expect(existsSync((recipe as { out: string }).out)).toBe(false);
  });

  it('refuses a training that is lost, and keeps what can be gone on from', async () => {
    const out = place();
    const wild = { learningRate: 9, warmupSteps: 0, schedule: 'constant' as const, clipNorm: null };
    const recipe = healing(stories, text, out, {
      ...{ optimizer: wild, adapter: { alpha: 1e19 }, data: { heldOutFraction: 0 } },
      loop: { steps: 8, saveEverySteps: 1 },
    });
    expect(await refusalOf(recipe)).toMatch(
      /^notFinite: The (loss|gradient) is not finite in step 1: the adapter is the one it began with/,
    );
    expect(readdirSync(join(out, 'run'))).toContain('state-0.safetensors');
    // The adapter at the root is the one that training began with, which changes nothing.
    expect(await refusalOf(merge(stories, out))).toBe('accepted');
  });
});

describe('a loss that overflows only without one block', () => {
  let report: AnalyzeReport;
  const events: EngineEvent[] = [];
  beforeAll(async () => {
    const model = await writeOverflowing(stories, place());
    const greedy = { count: 3, of: 'blocks', racingConfidence: null, protected: [] } as const;
    report = await runHere(
      {
        ...{ kind: 'analyze', model, source: cut, methods: ['all'], stay: false, compute: onCpu },
        measure: { removals: 'blocks', greedy: { ...greedy, protected: [] }, suggestions: 4, whatIf: [ofBlocks([1])] },
      },
      events,
    );
  });

  it('is said, and all others are numbers', () => {
    const { blocks } = report.removals!;
    expect(blocks.map(({ lossNats }) => typeof lossNats)).toEqual(['number', 'string', 'number', 'number', 'number']);
    expect([blocks[1], report.whatIf![0]]).toMatchObject([
      { lossNats: 'not finite', costNats: 'not finite', costStandardError: null },
      { lossNats: 'not finite', drop: { blocks: [1] } },
    ]);
    expect(Number.isFinite(report.lossNats)).toBe(true);
    for (const value of [report, ...events]) checkFinite(value);
    expect(render(report)).toMatch(/^1 +not finite$/m);
  });

  it('is nothing that a search or a method chooses by', () => {
    expect(report.greedy!.order[0]).not.toBe(1);
    expect(report.greedy!.lossNats.every(Number.isFinite)).toBe(true);
    for (const count of [1, 2, 3, 4]) expect(suggest(report, byMethod('removal', count)).dropSet).not.toContain(1);
    const protecting = { ...byMethod('removal', 4), protected: [0] };
    expect(() => choose(protecting, 5, report)).toThrow('finite for fewer than 4 blocks');
  });

  it('leaves methods without scores where those of a block are not finite', () => {
    const lost = report.notFinite!.map(({ method }) => method);
    expect(lost).toContain('blockInfluence');
    expect(Object.keys(report.methods)).toContain('weightMagnitude');
    expect(() => choose(byMethod('blockInfluence', 1), 5, report)).toThrow(
      'The score of block 4 by blockInfluence is not finite',
    );
    expect(render(report)).toContain('blockInfluence: the score of block 4 is not finite');
  });
});

describe('an evaluation with variants that are not finite', () => {
  const weight = 'model.layers.2.mlp.down_proj.weight';
  let report: EvaluateReport;
  const events: EngineEvent[] = [];
  const samples = join(root, 'samples.jsonl');
  beforeAll(async () => {
    const lost = [Number.NaN, Number.POSITIVE_INFINITY].map((value) =>
      writeFaulty(bos.folder, place(), [{ weight, at: 0, value }]),
    );
    const overflowing = await writeOverflowing(bos.folder, place());
    const common = { fewShot: null, maxTokens: null, compute: onCpu, data: join(fixtures, 'data') };
    const asked = { tasks: ['arc_easy', 'hellaswag'], items: { first: 0, end: 3 }, generate: true, samples };
    report = await runHere(
      {
        ...{ kind: 'evaluate', models: [overflowing, ...(await Promise.all(lost)), stories] },
        ...{ drops: [ofBlocks([1]), ofBlocks([0])], ...asked, ...common },
      },
      events,
    );
  }, 240_000);

  it('names each with the weight or block that it comes from', () => {
    const at = `because ${weight}[0, 0] in model.safetensors is`;
    expect(report.notFinite!.map(({ model }) => model)).toEqual([1, 3, 4]);
    const sentences = report.notFinite!.map(({ sentence }) => sentence);
    expect(sentences[0]).toMatch(/ without 1 is not finite, because the output of block \d goes beyond/);
    expect(sentences[1]).toContain(`${at} NaN`);
    expect(sentences[2]).toContain(`${at} Inf`);
  });

  it('has scores, comparisons, texts and samples of the others', () => {
    const modelsOf = (list: readonly { model: number }[]) => [...new Set(list.map(({ model }) => model))];
    expect(modelsOf(report.scores)).toEqual([0, 2, 5]);
    expect(modelsOf(report.generation!)).toEqual([0, 2, 5]);
    const labels = report.models.map(({ label }) => label);
    const compared = [...new Set(report.comparisons.map(({ variant }) => variant))];
    expect(compared).toEqual([labels[2], labels[5]]);
    const written = readFileSync(samples, 'utf8').trim().split('\n');
    const named = [...new Set(written.map((line) => (JSON.parse(line) as { model: string }).model))];
    expect(named).toEqual([labels[0], labels[2], labels[5]]);
    for (const value of [report, ...events]) checkFinite(value);
  });

  it('says so on a terminal, in reports and in results.json', () => {
    const text = render(report);
    for (const { model, sentence } of report.notFinite!)
      expect(text).toContain(`${report.models[model]!.label} has no scores: ${sentence}`);
    const charts = evaluationCharts(report);
    expect(charts.every(({ svg }) => !/NaN|Infinity/.test(svg))).toBe(true);
    expect(reportMarkdown(report, charts, () => '')).toContain('has no scores: ');
    const results = harnessResultsSchema.parse(JSON.parse(JSON.stringify(harnessResults(report, 0))));
    expect(reportOf(results as ReportSource).report.notFinite).toEqual(report.notFinite);
    expect(evaluateReportSchema.parse(report).notFinite).toEqual(report.notFinite);
    const { notFinite: _, ...before } = report;
    expect(evaluateReportSchema.parse(before).notFinite).toBeUndefined();
    expect(meanAccuracy(report, 3)).toBeNull();
    expect(meanAccuracy(report, 5)).not.toBeNull();
  });
});

it('measures the other models of several', async () => {
  const at = { weight: 'model.norm.weight', at: 3 };
  const lost = [];
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
    lost.push(await writeFaulty(stories, place(), [{ ...at, value }]));
  const recipe = { ...perplexityOf(stories), models: [lost[0]!, stories, lost[1]!] } as Extract<
    Recipe,
    { kind: 'perplexity' }
  >;
  const report = await runHere(recipe);
  expect(report.models.map(({ folder }) => folder)).toEqual([stories]);
  expect(report.notFinite!.map(({ folder }) => folder)).toEqual(lost);
  for (const { sentence } of report.notFinite!) {
    expect(sentence).toMatch(/because model\.norm\.weight\[3\] in model\.safetensors is (NaN|Inf);/);
    expect(render(report)).toContain(sentence);
  }
  expect(await refusalOf({ ...recipe, models: lost })).toMatch(/^notFinite: .* is NaN;/);
});

describe('an empty number', () => {
  it.each([
    ['a score', { methods: { blockInfluence: { unit: '', of: 'block', paper: '', scores: [1, null, 1] } } }],
    ['a loss', { methods: {}, removals: { blocks: [{ lossNats: 1 }, { lossNats: null }, { lossNats: 1 }] } }],
  ])('as %s of a report of before is told', async (_, fields) => {
    const file = `${place()}.json`;
    writeFileSync(file, JSON.stringify({ kind: 'analyze', model: { folder: '', nBlocks: 3 }, ...fields }));
    await expect(readReport(file)).rejects.toMatchObject({ code: 'notFinite' });
  });

  it.each([
    [{ a: [1, { b: Number.NaN }] }, 'a[1].b'],
    [[[Number.POSITIVE_INFINITY]], '[0][0]'],
  ])('is not written of %j', (value, field) =>
    expect(() => finiteJson(value)).toThrow(`The field ${field} came out as`),
  );

  it('is not made of a perplexity that is beyond numbers', () => {
    expect([perplexityOfNats(700), perplexityOfNats(800)]).toEqual([Math.exp(700), Number.MAX_VALUE]);
  });
});

it('takes weights that are large and finite', async () => {
  const fault = { weight: 'model.layers.2.mlp.down_proj.weight', at: 0, value: 60_000 };
  const model = await writeFaulty(stories, place(), [fault]);
  const recipe = { model, methods: ['all'], source: cut, stay: false, compute: onCpu, measure: noLosses };
  const report = await runHere({ kind: 'analyze', ...recipe });
  expect([report.notFinite, Number.isFinite(report.lossNats)]).toEqual([undefined, true]);
});

/** The bytes of a file of f32 tensors with another last number. */
function withLastNumber(file: string, value: number): Buffer {
  const bytes = readFileSync(file);
  bytes.writeFloatLE(value, bytes.length - 4);
  return bytes;
}
