// Settings that make two evaluations incomparable are said, in a sentence each.
import { describe, expect, it } from 'vitest';
import { type EvaluationSettings, modelWarnings, settingsWarnings } from '../../server/evaluation/settingsWarnings';
import type { EvaluatedTask } from '../../server/recipes/evaluate/recipe';
import { madeModels, madeReport, madeTasks } from './madeReport';

const report = madeReport({ tasks: madeTasks.slice(0, 2) });
const withTasks = (change: (task: EvaluatedTask) => Partial<EvaluatedTask>): EvaluationSettings => ({
  ...report,
  tasks: report.tasks.map((task) => ({ ...task, ...change(task) })),
});

describe('two evaluations', () => {
  const rows: [string, EvaluationSettings, RegExp[]][] = [
    ['the same', report, []],
    [
      'other data',
      withTasks((t) => ({ files: [{ ...t.files[0]!, sha256: 'f'.repeat(64) }] })),
      [/^hellaswag, arc_easy: the data differ;/],
    ],
    [
      'other shots',
      withTasks((t) => (t.task === 'arc_easy' ? { nFewShot: 25 } : {})),
      [/^arc_easy: the examples before each question differ \(0 and 25\)/],
    ],
    ['another version', withTasks(() => ({ version: 2 })), [/versions differ \(1 and 2 for hellaswag\)/]],
    [
      'fewer items',
      { ...withTasks(() => ({ nItems: 40 })), items: { first: 0, end: 40 } },
      [/numbers of items/, /^One evaluation took items 0 to 99, the other items 0 to 39;/],
    ],
    ['all items', { ...report, items: null }, [/the other all items/]],
    [
      'another dtype',
      { ...report, models: [{ ...madeModels[0]!, dtype: 'f32' }] },
      [/^The second evaluation is in f32 and the first in bf16:/],
    ],
    [
      'another runtime',
      { ...report, versions: { ...report.versions, onnxruntime: '1.31.0' } },
      [/onnxruntime 1\.30\.0 and 1\.31\.0/],
    ],
    ['nothing in common', { ...report, tasks: [], items: null }, []],
  ];
  it.each(rows)('%s', (_, other, sentences) => {
    const found = settingsWarnings(report, other);
    expect(found).toHaveLength(sentences.length);
    for (const [i, sentence] of sentences.entries()) expect(found[i]).toMatch(sentence);
    for (const sentence of found) expect(sentence).toMatch(/^[^\n]+\.$/);
  });
});

describe('models of one evaluation', () => {
  const [base, variant] = madeModels;
  it.each([
    ['another tokenizer', { tokenizerSha256: 'b'.repeat(64) }, /different tokenizers.*by word or byte can\.$/],
    ['a shorter context', { maxTokens: 2048 }, /at most 2048 tokens and SmolLM2-135M 8192/],
    ['another dtype', { dtype: 'f16' }, /rounding/],
  ])('%s', (_, change, sentence) => {
    const found = modelWarnings([base!, variant!, { ...variant!, ...change }]);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(sentence);
  });
  it('nothing to say', () => expect(modelWarnings(madeModels)).toEqual([]));
});
