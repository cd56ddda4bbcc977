// huggingface_hub reads our cards as we mean them: those that are made here, and the examples in docs/cards.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cardFiles } from '../../server/publishing/card/card';
import { repoRoot } from '../fixtures';
import { madeFacts } from '../publishing/madeFacts';
import { askPython } from './askPython';

const root = mkdtempSync(join(tmpdir(), 'cards-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Answer {
  cards: Record<string, { metadata: Record<string, unknown>; results: unknown[] }>;
  results: Record<string, unknown[]>;
  problems: string[];
}

const examples = join(repoRoot, 'docs/cards');
const shipped = readdirSync(examples)
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .map((name) => join(examples, name));
const variants = [
  { name: 'model.md', facts: madeFacts({ registered: [{ task: 'arc_easy', taskId: 'easy' }], newVersion: 'o/new' }) },
  { name: 'adapter.md', facts: madeFacts({ of: 'adapter', model: null }) },
  {
    name: 'llama.md',
    facts: madeFacts({ name: 'me/Llama-thing', licence: { id: 'llama3.2' }, languages: ['no', 'en'], reports: [] }),
  },
  {
    name: 'other.md',
    facts: madeFacts({ licence: { id: 'other', name: 'own: "terms"', link: 'LICENSE' }, base: null }),
  },
];

let answer: Answer;
beforeAll(() => {
  for (const { name, facts } of variants)
    for (const file of cardFiles(facts, null)) {
      const path = join(root, file.name === 'README.md' ? name : file.name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, file.text);
    }
  const made = variants.map(({ name }) => join(root, name));
  answer = askPython<Answer>('check_cards.py', [...made, ...shipped], { results: join(root, '.eval_results') });
}, 10 * 60_000);

it('finds nothing to object to', () => {
  expect(answer.problems).toEqual([]);
  expect(Object.keys(answer.cards)).toHaveLength(variants.length + 3);
});

it('finds the same metadata', () => {
  const of = (name: string) => answer.cards[join(root, name)]!;
  expect(of('model.md').metadata).toMatchObject({
    base_model: ['owner/small'],
    base_model_relation: 'finetune',
    license: 'apache-2.0',
    library_name: 'transformers',
    new_version: 'o/new',
  });
  expect(of('adapter.md').metadata).toMatchObject({ base_model_relation: 'adapter', library_name: 'peft' });
  expect(of('llama.md').metadata).toMatchObject({ license: 'llama3.2', language: ['no', 'en'] });
  expect(of('other.md').metadata).toMatchObject({
    license: 'other',
    license_name: 'own: "terms"',
    license_link: 'LICENSE',
  });
});

it('finds the same results', () => {
  expect(answer.cards[join(root, 'model.md')]!.results).toEqual([
    ['allenai/ai2_arc', 'ARC-Easy', 'acc_norm', 0.512_741],
    ['calibration.txt', null, 'perplexity', Math.exp(2.987_34)],
  ]);
  expect(answer.results).toEqual({
    'arc_easy.yaml': [
      ['allenai/ai2_arc', 'easy', 0.512_741, 'acc_norm, 3-shot, lm-evaluation-harness version 1, 211 of 2376 items'],
    ],
  });
});
