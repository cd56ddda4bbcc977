// results.json as the harness has it, and its table to the letter (test/python/harness_tables.py).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { harnessResults } from '../../server/evaluation/harnessResults';
import { harnessTable, type TableSource } from '../../server/evaluation/harnessTable';
import { repoRoot } from '../fixtures';
import { madeReport, madeTasks } from './madeReport';
import { reportOf } from '../../server/evaluation/reportFromHarness';

const report = madeReport({ nItems: 20 });
const dateEpochMs = 1_764_000_000_500;
const results = harnessResults(report, dateEpochMs);

describe('the table', () => {
  const rows: { given: TableSource; table: string }[] = JSON.parse(
    readFileSync(join(repoRoot, 'test/fixtures/reference/harness-tables.json'), 'utf8'),
  );
  it.each(rows.map((row) => ({ ...row, names: Object.keys(row.given.models[0]!.results).join() })))(
    'of $names is what the harness prints',
    ({ given, table }) => expect(harnessTable(given)).toBe(table),
  );
  it('can be had of every model', () => {
    expect(harnessTable(results, 1)).toContain(results.models[1]!.results.piqa!['acc,none']!.toString().slice(0, 4));
  });
});

describe('results.json', () => {
  it('has a task as the harness has it', () => {
    const score = report.scores.find((it) => it.model === 0 && it.task === 'piqa' && it.metric === 'acc_norm')!;
    expect(results.results.piqa).toMatchObject({
      name: 'piqa',
      alias: 'piqa',
      sample_len: 20,
      'acc_norm,none': score.value,
      'acc_norm_stderr,none': score.stderr,
    });
    expect(results.versions).toMatchObject({ piqa: 1, boolq: 2, mmlu: 2 });
    expect(results['n-shot']).toMatchObject({ piqa: 0, mmlu_virology: 5, mmlu: 5 });
    expect(results['n-samples'].piqa).toEqual({ original: 1838, effective: 20 });
    expect(results.higher_is_better).toMatchObject({
      lambada_openai: { perplexity: false, acc: true },
      mmlu: { acc: true },
    });
    expect(results.configs.wikitext).toMatchObject({ num_fewshot: 0, output_type: 'loglikelihood_rolling' });
  });
  it('says N/A where there is no error', () => {
    expect(results.results.wikitext!['word_perplexity_stderr,none']).toBe('N/A');
  });
  it('has groups among the results and by themselves, nested', () => {
    expect(results.results.mmlu_stem).toBe(results.groups!.mmlu_stem);
    expect(results.groups!.mmlu_social_sciences).toMatchObject({
      alias: 'social sciences',
      sample_count: { 'acc,none': 240 },
    });
    expect(results.group_subtasks.mmlu).toEqual(['mmlu_stem', 'mmlu_humanities', 'mmlu_social_sciences', 'mmlu_other']);
    expect(results.group_subtasks.mmlu_stem).toHaveLength(19);
  });
  it('has no groups where none were asked for', () => {
    const few = harnessResults(madeReport({ tasks: madeTasks.slice(0, 2) }), 0);
    expect(few).not.toHaveProperty('groups');
    expect(few.group_subtasks).toEqual({});
  });
  it('has all models, the original first and at the top', () => {
    expect(results.models.map(({ label }) => label)).toEqual(report.models.map(({ label }) => label));
    expect(results.models[1]).toMatchObject({ dropSet: [12, 13, 14, 15, 16] });
    expect(results.models[0]!.results.boolq).toEqual(results.results.boolq);
    expect(results.config).toMatchObject({ model: 'espalier', limit: 20, device: 'cpu' });
  });
  it.each([
    ['all tasks', report],
    ['few tasks', madeReport({ tasks: madeTasks.slice(0, 1) })],
    ['one model', madeReport({ models: report.models.slice(0, 1), nItems: 2 })],
    ['all items', { ...report, items: null }],
  ])('gives the report back through a file: %s', (_, made) => {
    const back = reportOf(JSON.parse(JSON.stringify(harnessResults(made, dateEpochMs))));
    const key = (it: { model: number; task: string; metric: string }) => `${it.model} ${it.task} ${it.metric}`;
    const sorted = <T extends typeof made>(it: T): T => ({
      ...it,
      scores: it.scores.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
    });
    expect(sorted(back.report)).toEqual(sorted(made));
    expect(back.dateEpochMs).toBe(dateEpochMs);
  });
  it('has no number for what is beyond numbers', () => {
    const endless = { ...report, scores: report.scores.map((it) => ({ ...it, value: Number.POSITIVE_INFINITY })) };
    const back = JSON.parse(JSON.stringify(harnessResults(endless, 0)));
    expect(back.results.piqa['acc,none']).toBeNull();
    expect(reportOf(back).report.scores[0]!.value).toBeNaN();
  });
});
