// Repositories of data sets as the hub has them: the paths that they had in 2026, and the documents of the fixtures.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixtures } from '../evaluation/golden';
import type { FakeRepository } from './fake/repositories';

const splits = (folder: string, ...names: string[]) => names.map((name) => `${folder}${name}-00000-of-00001.parquet`);

/** What lies in each, as far as it tells files that are needed from others. */
export const listings: Readonly<Record<string, readonly string[]>> = {
  'Rowan/hellaswag': ['.gitattributes', 'README.md', ...splits('data/', 'test', 'train', 'validation')],
  'allenai/ai2_arc': [
    'README.md',
    ...splits('ARC-Challenge/', 'test', 'train', 'validation'),
    ...splits('ARC-Easy/', 'test', 'train', 'validation'),
  ],
  'aps/super_glue': ['README.md', ...splits('boolq/', 'test', 'train', 'validation'), ...splits('cb/', 'validation')],
  'baber/piqa': ['.gitattributes', 'piqa_test.parquet', 'piqa_train.parquet', 'piqa_validation.parquet'],
  'allenai/winogrande': [
    'README.md',
    ...splits('winogrande_l/', 'test', 'train', 'validation'),
    ...splits('winogrande_xl/', 'test', 'train', 'validation'),
  ],
  'allenai/openbookqa': ['README.md', ...splits('additional/', 'test'), ...splits('main/', 'test', 'train')],
  'EleutherAI/lambada_openai': [
    'README.md',
    'data/lambada_test.jsonl',
    'data/lambada_test_de.jsonl',
    'de/test/0000.parquet',
    'default/test/0000.parquet',
    'lambada_openai.txt',
  ],
  'cais/mmlu': [
    'README.md',
    'data.tar',
    ...splits('all/', 'auxiliary_train', 'dev', 'test'),
    ...splits('anatomy/', 'dev', 'test', 'validation'),
    ...splits('virology/', 'dev', 'test', 'validation'),
  ],
  'EleutherAI/wikitext_document_level': [
    'README.md',
    ...['test', 'train', 'validation'].map((split) => `wikitext-2-raw-v1/wikitext-2-raw-v1-${split}.parquet`),
    ...['test', 'train', 'validation'].map((split) => `wikitext-103-raw-v1/wikitext-103-raw-v1-${split}.parquet`),
  ],
};

export const documents = (path: string): Buffer => readFileSync(join(fixtures, 'data', path));

const lines = documents('hellaswag/validation.jsonl').toString().trim().split('\n');
const partOf = (first: number, end: number) => `${lines.slice(first, end).join('\n')}\n`;

export const arc: FakeRepository = {
  files: {
    'README.md': '---\nlicense: cc-by-sa-4.0\n---\n',
    'ARC-Easy/test-00000-of-00001.parquet': documents('arc_easy/test-00000-of-00001.parquet'),
    'ARC-Easy/train-00000-of-00001.parquet': documents('arc_easy/test-00000-of-00001.parquet').subarray(1),
    'ARC-Easy/validation-00000-of-00001.parquet': 'is not needed',
    'ARC-Challenge/test.jsonl': documents('arc_challenge/test.jsonl'),
    'ARC-Challenge/train.jsonl': partOf(0, 3),
  },
};

/** Some data sets are in several parts. */
export const hellaswag: FakeRepository = {
  files: {
    'README.md': '---\nlicense: mit\n---\n',
    'data/train.jsonl': partOf(0, 9),
    'data/validation-00001-of-00002.jsonl': partOf(20, lines.length),
    'data/validation-00000-of-00002.jsonl': partOf(0, 20),
  },
};
