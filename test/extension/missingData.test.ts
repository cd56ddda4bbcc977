// Which of the tasks that were chosen in the editor have no data in Hugging Face's cache yet.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { missingInCache } from '../../extension/panels/evaluate/missingData';

const root = mkdtempSync(join(tmpdir(), 'missing-data-'));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

const put = (path: string, text = '') => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

it.each<{ there: string[]; tasks: string[]; examples?: boolean; missing: string[] }>([
  { there: [], tasks: ['hellaswag', 'mmlu'], missing: ['hellaswag', 'mmlu'] },
  {
    there: ['allenai--ai2_arc/snapshots/c/ARC-Easy/test-00000-of-00001.parquet'],
    tasks: ['arc_easy', 'arc_challenge', 'ai2_arc'],
    missing: ['arc_challenge', 'ai2_arc'],
  },
  { there: [], tasks: ['arc_easy'], examples: true, missing: ['arc_easy'] },
  { there: ['allenai--ai2_arc/snapshots/c/ARC-Easy/train.jsonl'], tasks: ['arc_easy'], examples: true, missing: [] },
  {
    there: ['cais--mmlu/snapshots/c/virology/test.jsonl'],
    tasks: ['mmlu_virology', 'mmlu_other'],
    missing: ['mmlu_other'],
  },
  { there: ['baber--piqa/snapshots/other/piqa_validation.parquet'], tasks: ['piqa'], missing: ['piqa'] },
  {
    there: ['Rowan--hellaswag/snapshots/c/data/validation-00001-of-00002.parquet'],
    tasks: ['hellaswag'],
    missing: ['hellaswag'],
  },
])('$tasks lack $missing once $there is there', ({ there, tasks, examples = false, missing }) => {
  vi.stubEnv('HF_HUB_CACHE', root);
  for (const path of there) {
    put(`datasets--${path}`);
    put(`datasets--${path.split('/')[0]}/refs/main`, 'c');
  }
  expect(missingInCache(tasks, examples)).toEqual(missing);
});
