// Whole evaluations beside those of lm-evaluation-harness: every item's log-likelihoods, every score, by the recipe that
// people run. SmolLM2's first item of each task here, all of them in the long tests.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import type { EngineEvent } from '../../server/protocol/engine';
import type { EvaluateRecipe, EvaluateReport } from '../../server/recipes/evaluate/recipe';
import { ofBlocks } from '../../server/shared/dropSets';
import { available, dataFolder, long, modelFolder } from '../fixtures';
import { fixtures, type Golden, type GoldenTask, readGolden, storiesFolderWithBos } from '../evaluation/golden';
import { onCpu, runHere } from './runHere';

const scratch = mkdtempSync(join(tmpdir(), 'espalier-evaluate-'));
const stories = storiesFolderWithBos();
const smollm2 = modelFolder('smollm2-135m');
afterAll(() => {
  rmSync(scratch, { recursive: true });
  stories.remove();
});

const recipeOf = (more: Partial<EvaluateRecipe>): EvaluateRecipe => ({
  kind: 'evaluate',
  models: [stories.folder],
  drops: [],
  tasks: [],
  data: join(fixtures, 'data'),
  items: null,
  fewShot: null,
  maxTokens: null,
  generate: false,
  samples: null,
  compute: onCpu,
  ...more,
});

interface Sample {
  readonly model: string;
  readonly task: string;
  readonly docId: number;
  readonly logLikelihoods: number[];
  readonly isGreedy: boolean[];
  readonly acc?: number;
  readonly acc_norm?: number;
}

async function evaluateWithSamples(recipe: EvaluateRecipe): Promise<{ report: EvaluateReport; samples: Sample[] }> {
  const file = join(scratch, 'samples.jsonl');
  const report = await runHere({ ...recipe, samples: file });
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return { report, samples: lines.map((line) => JSON.parse(line) as Sample) };
}

/** f32 sums in another order: 1e-3 nats, or 1e-5 of long texts' hundreds. */
function expectScores(golden: GoldenTask, samples: readonly Sample[], model: string): void {
  const ofTask = new Map(samples.filter((s) => s.task === golden.task && s.model === model).map((s) => [s.docId, s]));
  for (const item of golden.items) {
    const sample = ofTask.get(item.docId);
    if (!sample) continue;
    for (const [i, { logLikelihood, isGreedy }] of item.requests.entries()) {
      const where = `${golden.task} ${item.docId}.${i}`;
      const off = Math.abs(sample.logLikelihoods[i]! - logLikelihood);
      expect(off, where).toBeLessThan(Math.max(1e-3, 1e-5 * Math.abs(logLikelihood)));
      if (golden.task !== 'wikitext') expect(sample.isGreedy[i], where).toBe(isGreedy);
    }
    for (const metric of ['acc', 'acc_norm'] as const)
      if (item.values[metric] !== undefined)
        expect(sample[metric], `${golden.task} ${item.docId}`).toBe(item.values[metric]);
  }
}

/** By the harness' names, such as `acc,none` and `acc_stderr,none`. Bootstrapped errors are drawn. */
function expectResults(golden: GoldenTask, report: EvaluateReport, model: number): void {
  for (const [name, expected] of Object.entries(golden.results)) {
    const [key] = name.split(',');
    const metric = key!.replace(/_stderr$/, '');
    if (typeof expected !== 'number' || key === 'sample_len' || key === 'perplexity_stderr') continue;
    const score = report.scores.find((s) => s.model === model && s.task === golden.task && s.metric === metric)!;
    const found = key === metric ? score.value : score.stderr!;
    expect(Math.abs(found - expected), `${golden.task} ${name}`).toBeLessThan(5e-5 * Math.max(1, Math.abs(expected)));
  }
}

/** The tasks of a reference that are scored alike: with so many examples, on so many items. */
function portions({ tasks }: Golden): { nFewShot: number; end: number; tasks: GoldenTask[] }[] {
  const keys = [...new Set(tasks.map(({ nFewShot, items }) => `${nFewShot} ${items.length}`))];
  return keys.map((key) => {
    const [nFewShot, end] = key.split(' ').map(Number);
    return { nFewShot: nFewShot!, end: end!, tasks: tasks.filter((t) => `${t.nFewShot} ${t.items.length}` === key) };
  });
}

const checkout = (name: string) => ({ golden: join(fixtures, name), data: join(fixtures, 'data') });
const reference = (name: string) => ({ golden: join(dataFolder, 'reference', name), data: join(dataFolder, 'data') });

interface Row {
  readonly name: string;
  readonly golden: string;
  readonly data: string;
  readonly model: string;
  /** The items of every task that are taken, at most. */
  readonly atMost: number;
}
const rows: Row[] = [
  { name: 'stories260K', ...checkout('lm-eval-stories260k-bos.json'), model: stories.folder, atMost: 100 },
  { name: 'SmolLM2, first items', ...checkout('lm-eval-smollm2.json'), model: smollm2, atMost: 1 },
  ...(long ? [{ name: 'SmolLM2', ...reference('lm-eval-smollm2.json'), model: smollm2, atMost: 100 }] : []),
];

describe.each(rows)('$name', ({ golden: file, data, model, atMost }) => {
  const there = available(file) && available(model);
  describe.skipIf(!there).each(there ? portions(readGolden(file)) : [{ nFewShot: 0, end: 0, tasks: [] }])(
    '$nFewShot examples, $end items',
    ({ nFewShot, end, tasks }) => {
      it('has the scores of the harness', async () => {
        const items = { first: 0, end: Math.min(end, atMost) };
        const names = tasks.map(({ task }) => task);
        const recipe = recipeOf({ models: [model], tasks: names, data, items, fewShot: nFewShot });
        const { report, samples } = await evaluateWithSamples(recipe);
        for (const task of tasks) {
          expectScores(task, samples, report.models[0]!.label);
          if (items.end === task.items.length) expectResults(task, report, 0);
        }
      }, 900_000);
    },
  );
});

if (long)
  describe('SmolLM2 without 12-16, beside the whole one', () => {
    it('has the scores of the harness', async () => {
      const { golden: file, data } = reference('lm-eval-smollm2-drop12-16.json');
      const { tasks } = readGolden(file);
      for (const { nFewShot, end, tasks: some } of portions({ settings: { max_length: 0 }, tasks })) {
        const names = some.map(({ task }) => task);
        const items = { first: 0, end };
        const drops = [ofBlocks([12, 13, 14, 15, 16])];
        const recipe = recipeOf({ models: [smollm2], drops, tasks: names, data, items, fewShot: nFewShot });
        const { report, samples } = await evaluateWithSamples(recipe);
        for (const task of some) {
          expectScores(task, samples, report.models[1]!.label);
          expectResults(task, report, 1);
        }
      }
    }, 900_000);
  });

describe('several models', () => {
  const tasks = ['hellaswag', 'arc_easy', 'lambada_openai'];
  const items = { first: 0, end: 10 };
  let alone: EvaluateReport;
  let pruned: string;
  beforeAll(async () => {
    pruned = join(scratch, 'pruned');
    const [rule, compute] = [{ kind: 'chosen' as const, ...ofBlocks([2, 3]) }, onCpu];
    const nothing = { source: null, repair: null, dtype: null, maxShardBytes: null, mergekit: null };
    await runHere({ kind: 'prune', model: stories.folder, rule, out: pruned, compute, ...nothing });
    alone = await runHere(recipeOf({ models: [pruned], tasks, items }));
  });

  it('gives a written folder, a drop set and the folder alone the same scores', async () => {
    const recipe = recipeOf({ models: [stories.folder, pruned], drops: [ofBlocks([2, 3])], tasks, items });
    const report = await runHere(recipe);
    expect(report.models.map(({ nBlocks, removedBlocks }) => ({ nBlocks, removedBlocks }))).toEqual([
      { nBlocks: 5, removedBlocks: [] },
      { nBlocks: 3, removedBlocks: [2, 3] },
      { nBlocks: 3, removedBlocks: [2, 3] },
    ]);
    expect(report.models[1]!.nParameters).toBe(report.models[2]!.nParameters);
    expect(report.models[1]!.sizeBytes).toBe(report.models[2]!.sizeBytes);
    const of = ({ scores }: EvaluateReport, model: number) =>
      scores.filter((score) => score.model === model).map(({ model: _, ...rest }) => rest);
    expect(of(report, 1)).toEqual(of(report, 2));
    for (const [i, score] of of(report, 1).entries()) expect(score.value).toBeCloseTo(of(alone, 0)[i]!.value, 4);
    // The folder is a path through the original: nothing more is computed than for the drop set.
    expect(report.work.headRuns).toBe(2 * report.work.base.headRuns);
    expect(report.comparisons.filter(({ task }) => task === 'hellaswag').map(({ variant }) => variant)).toHaveLength(4);
  });

  it('tells what is known after every task', async () => {
    const events: EngineEvent[] = [];
    const report = await runHere(recipeOf({ tasks, items, drops: [ofBlocks([1])], generate: true }), events);
    const told = events.flatMap((event) => (event.kind === 'scored' ? [event.report] : []));
    expect(told.map(({ scores }) => new Set(scores.map(({ task }) => task)).size)).toEqual([1, 2, 3]);
    expect(told.at(-1)!.scores).toEqual(report.scores);
    expect(report.generation).toHaveLength(6);
    const fractions = events.flatMap((event) =>
      event.kind === 'progress' && event.step.includes('HellaSwag') ? [event.fraction] : [],
    );
    expect(Math.max(...fractions)).toBeLessThan(1);
  });

  it('ends when it is told to', async () => {
    const controller = new AbortController();
    const { runRecipe } = await import('../../server/recipes/runRecipe');
    const ended = runRecipe(recipeOf({ tasks, items }), {
      signal: controller.signal,
      emit: (event) => void (event.kind === 'scored' && controller.abort()),
    });
    await expect(ended).rejects.toSatisfy((error) => isUserError(error) && error.code === 'cancelled');
  });
});
