// espalier report, and an evaluation on the terminal.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sealed } from '../../server/checkpoint/sealed';
import { harnessResults } from '../../server/evaluation/harnessResults';
import { harnessTable } from '../../server/evaluation/harnessTable';
import { readReport } from '../../server/cli/report';
import { renderEvaluation } from '../../server/cli/renderEvaluation';
import { asWrittenBefore } from '../earlierFiles';
import { madeModels, madeReport, madeTasks } from '../evaluation/madeReport';
import { studyFiles } from '../../server/recipes/study/files';
import { studyMarkdown } from '../../server/reporting/studyMarkdown';
import { madeStudy } from '../reporting/madeStudy';
import { contentsOf, espalier as espalierProcess } from './espalier';
import { espalier } from './inProcess';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'report-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const report = madeReport({ nItems: 12 });
const results = harnessResults(report, 1_764_000_000_000);
const written = (name: string, content: unknown): string => {
  const file = join(root, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
};
const file = written('evaluation.json', results);
const run = '6f1b2c3d-0000-4000-8000-123456789abc';
written(`data/runs/${run}/report.json`, sealed(JSON.stringify(report)));
const study = madeStudy({ counts: [4, 5], methods: ['blockInfluence', 'greedy'], tasks: ['piqa', 'boolq'] });
const studyFolder = join(root, 'study');
written('study/report.json', study);

describe('espalier report', () => {
  it('writes pages and charts, and results that are the same', async () => {
    const out = join(root, 'made/report');
    const ended = await espalierProcess(['report', file, '--out', out]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toBe(`results.json, report.md, report.html, charts/ (9) are in ${out}\n`);
    expect(contentsOf(out)).toEqual([
      'charts',
      ...[
        'accuracy-by-size',
        'benchmarks-difference',
        'benchmarks',
        'mmlu-all-difference',
        'mmlu-all',
        'mmlu-subjects-difference',
        'mmlu-subjects',
        'perplexity-lambada-openai',
        'perplexity-wikitext',
      ].map((name) => `charts/${name}.svg`),
      'report.html',
      'report.md',
      'results.json',
    ]);
    expect(JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(results)));
    const again = join(root, 'again');
    expect(await espalier(['report', out, '--out', again, '--quiet'])).toMatchObject({ code: 0, stdout: '' });
    for (const name of contentsOf(out).filter((path) => path !== 'charts'))
      expect(readFileSync(join(again, name), 'utf8')).toBe(readFileSync(join(out, name), 'utf8'));
  });

  it('prints the table in Markdown without --out', async () => {
    const { code, stdout } = await espalier(['report', run, '--data', join(root, 'data')]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\| Task \| Metric \|/);
    expect(stdout).toContain('Holm');
  });

  it('writes all that a study wrote, from its folder', async () => {
    const out = join(root, 'study-report');
    const ended = await espalier(['report', studyFolder, '--out', out]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toBe(
      `results.json, recipe.yaml, report.md, report.html, report.json, charts/ (6) are in ${out}\n`,
    );
    const { 'results.json': _, 'report.json': whole, ...files } = studyFiles(study, 0);
    expect(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'))).toEqual(JSON.parse(whole!));
    for (const [path, text] of Object.entries(files)) expect(readFileSync(join(out, path), 'utf8'), path).toBe(text);
    const again = join(root, 'study-again');
    expect(await espalier(['report', join(out, 'report.json'), '--out', again, '--quiet'])).toMatchObject({ code: 0 });
    expect(contentsOf(again)).toEqual(contentsOf(out));
  });

  it('reads a study that called a sequence a window', async () => {
    const folder = join(root, 'before');
    written('before/report.json', asWrittenBefore(JSON.stringify(study)));
    expect((await espalier(['report', folder])).stdout).toBe((await espalier(['report', studyFolder])).stdout);
  });

  it('prints a study in Markdown without --out', async () => {
    const { code, stdout } = await espalier(['report', studyFolder]);
    expect(code).toBe(0);
    expect(stdout).toBe(studyMarkdown(study, [], () => ''));
  });

  it('prints the table of the harness for one model', async () => {
    const one = harnessResults(madeReport({ models: madeModels.slice(0, 1), tasks: madeTasks.slice(0, 3) }), 0);
    const { stdout } = await espalier(['report', written('one.json', one)]);
    expect(stdout).toBe(`${harnessTable(one)}\n`);
  });

  it.each([
    ['a file that is not there', 'none.json', /neither an evaluation nor a study or run.*; give the file/],
    [
      'another report',
      written('analyze.json', { kind: 'analyze' }),
      /is a report of analyze, not of evaluate or study;/,
    ],
    ['no JSON', written('text.json', 'kind: evaluate'), /is no report of evaluate or study;/],
    ['half a report', written('half.json', { ...results, models: [] }), /is no report of evaluate or study;/],
    [
      'half a study',
      written('half-study.json', { ...study, variants: [] }),
      /is no whole report of a study; give the folder/,
    ],
    [
      'a study with a model that was not evaluated',
      written('model.json', { ...study, evaluation: null }),
      /is no whole report of a study;/,
    ],
    [
      'a study of a recipe that is none',
      written('recipe.json', { ...study, recipe: { ...study.recipe, counts: 'all' } }),
      /is no whole report of a study;/,
    ],
    ['a score of no model', written('index.json', { ...report, models: report.models.slice(0, 1) }), /is no report of/],
    [
      'groups that go round',
      written('round.json', {
        ...results,
        task_groups: results.task_groups.map((it) => ({ ...it, parent: it.group })),
      }),
      /is no report of evaluate or study;/,
    ],
  ])('refuses %s', async (_, path, sentence) => {
    const out = join(root, 'refused');
    const { code, stdout, stderr } = await espalier(['report', path, '--out', out]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).toMatch(sentence);
    expect(existsSync(out)).toBe(false);
  });

  it('writes into no folder that is in use', async () => {
    const out = join(root, 'used');
    written('used/mine.txt', 'mine');
    expect(await espalier(['report', file, '--out', out])).toMatchObject({
      code: 2,
      stderr: `espalier: ${out} exists and is not empty; choose another folder or delete it.\n`,
    });
    expect(contentsOf(out)).toEqual(['mine.txt']);
  });
});

describe('reading an evaluation', () => {
  it.each([
    ['a file', file],
    ['the folder of a run', join(root, 'data/runs', run)],
    ['the id of a run', run],
  ])('from %s', async (_, place) => {
    const found = await readReport(place, join(root, 'data'));
    if (found.report.kind !== 'evaluate') throw new Error(found.report.kind);
    expect(found.report.comparisons).toEqual(report.comparisons);
    expect(found.report.scores).toHaveLength(report.scores.length);
    expect(found.report.versions).toEqual(report.versions);
  });
  it('takes what JSON has no number for as beyond numbers', async () => {
    const endless = { ...report, scores: report.scores.map((it) => ({ ...it, value: Number.POSITIVE_INFINITY })) };
    const found = await readReport(written('endless.json', endless), root);
    expect('scores' in found.report && found.report.scores[0]!.value).toBeNaN();
  });
});

describe('an evaluation on the terminal', () => {
  const text = renderEvaluation(report);
  it.each([
    [
      'a table for two variants',
      /^Task +Metric +Shots +n +SmolLM2-135M +SmolLM2-135M without 12-16 +difference +flipped +SmolLM2-135M-healed/m,
    ],
    [
      'a table for the third',
      /^Task +Metric +Shots +n +SmolLM2-135M +SmolLM2-135M without 12-18 +difference +flipped$/m,
    ],
    ['a difference', /^BoolQ +acc +0 +12 +\d+\.\d % +\d+\.\d % +[−+]?\d+\.\d ± \d+\.\d( [▼▲])? +\d+▾ \d+▴/m],
    ['subjects under their group', /^MMLU .*\n {2}STEM .*\n {4}abstract algebra /m],
    ['settings', /^Shots +0 for 9 tasks, 5 for 57 tasks$/m],
    ['tokens and time', /^41234 requests, 2345678 tokens, 4\.2 times fewer than without sharing, in 5\.2 min/m],
    ['warnings', /^Warning: Scored on the first 12 items of each task\.$/m],
  ])('has %s', (_, pattern) => expect(text).toMatch(pattern));

  it('is the table of the harness for one model', () => {
    const one = madeReport({ models: madeModels.slice(0, 1), tasks: madeTasks.slice(0, 3) });
    expect(renderEvaluation(one).startsWith(harnessTable(harnessResults(one, 0)))).toBe(true);
    expect(renderEvaluation(one)).not.toContain('▼');
  });
  it('lets no name steer it', () => {
    const label = 'a\u001b[2Jb\u0007';
    const steering = madeReport({
      models: [madeModels[0]!, { ...madeModels[1]!, label }],
      tasks: madeTasks.slice(0, 1),
    });
    expect(renderEvaluation(steering)).not.toMatch(/(?!\n)\p{Cc}/u);
  });
});
