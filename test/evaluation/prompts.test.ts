// Prompts with examples, beside those that lm-evaluation-harness made of the same documents;
// test/fixtures/evaluation/make_few_shot.py asked it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { itemsOf } from '../../server/evaluation/prompts';
import { resolveTasks } from '../../server/evaluation/tasks';
import { readQuestions } from '../../server/evaluation/tasks/dataFolder';
import { refusal } from '../refusal';
import { fixtures, sha256 } from './golden';

interface Golden {
  task: string;
  /** What examples are drawn from: the scored documents, or the first eight of them twice over. */
  pool: 'same' | 'twice';
  shots: number;
  first: number;
  end: number;
  /** Of every item, or of that. */
  contexts: string;
}
const golden = JSON.parse(readFileSync(join(fixtures, 'few-shot.json'), 'utf8')) as Golden[];
const short = (text: string) => sha256(text).slice(0, 8);

async function questionsOf(name: string) {
  const task = resolveTasks([name]).tasks[0]!;
  const { questions } = await readQuestions(join(fixtures, 'data'), task, task.split);
  return { task, questions };
}

describe('examples are those of the harness', () => {
  it.each(golden)('$task, $shots examples from $pool, items $first to $end', async (row) => {
    const { task, questions } = await questionsOf(row.task);
    const eightTwice = [...questions.slice(0, 8), ...questions.slice(0, 8)];
    const isOwnPool = task.fewShot.kind === 'drawn' && task.fewShot.split === task.split;
    const pool = row.pool === 'twice' && !isOwnPool ? eightTwice : questions;
    const items = itemsOf(task, questions, row.first, row.end, { questions: pool, count: row.shots });
    const contexts = items.map(({ requests: [request] }) =>
      request?.kind === 'continuation' ? short(request.context) : '',
    );
    const all = contexts.join('');
    expect(all.length === row.contexts.length ? all : short(all)).toBe(row.contexts);
  });
});

describe('too few examples are said to be so', () => {
  it.each([
    ['hellaswag', 40, 'badChoice: hellaswag has 40 examples in its split train and 41 are drawn from; ask for fewer.'],
    ['hellaswag', 39, 'accepted'],
    ['arc_easy', 41, 'badChoice: arc_easy has 40 examples in its split train and 41 are drawn from; ask for fewer.'],
    ['arc_easy', 40, 'accepted'],
    [
      'mmlu_machine_learning',
      41,
      'badChoice: mmlu_machine_learning has 40 examples in its split dev and 41 are taken; ask for fewer.',
    ],
  ])('%s, %i', async (name, count, expected) => {
    const { task, questions } = await questionsOf(name);
    expect(refusal(() => itemsOf(task, questions, 0, 1, { questions, count }))).toBe(expected);
  });
});
