// evaluate as a person types it: what it prints and writes, and what it refuses, in one sentence, with nothing written.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { modelFolder } from '../fixtures';
import { fixtures } from '../evaluation/golden';
import { contentsOf, espalier as espalierProcess } from './espalier';
import { espalier } from './inProcess';

const stories = modelFolder('stories260k');
const data = join(fixtures, 'data');

/** Every command is run in this folder. */
const root = mkdtempSync(join(tmpdir(), 'evaluate-cli-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const file = (name: string, contents: string) => writeFileSync(join(root, name), contents);

beforeAll(() => {
  mkdirSync(join(root, 'empty'));
  mkdirSync(join(root, 'wrong/hellaswag'), { recursive: true });
  file('wrong/hellaswag/hellaswag_val.jsonl', '{"question": "What?", "answer": "That."}\n');
  mkdirSync(join(root, 'torn/hellaswag'), { recursive: true });
  file('torn/hellaswag/hellaswag_val.jsonl', '{"ind": 0, "ctx": "A man: He');
  cpSync(stories, join(root, 'untold'), { recursive: true });
  rmSync(join(root, 'untold/tokenizer.json'));
  // Another tokenizer: the same ids under other words.
  cpSync(stories, join(root, 'foreign'), { recursive: true });
  const tokenizer = join(root, 'foreign/tokenizer.json');
  writeFileSync(tokenizer, `${readFileSync(tokenizer, 'utf8')}\n`);
});

const evaluate = (...more: string[]) => {
  const given = (option: string) => more.includes(option);
  return [
    ...['evaluate', stories, '--threads', '2', ...more],
    ...(given('--tasks') ? [] : ['--tasks', 'hellaswag']),
    ...(given('--data') ? [] : ['--data', data]),
  ];
};

describe('an original and a variant', () => {
  it('are written as the harness writes results, with comparisons and a line for every item', async () => {
    const args = evaluate('--drops', '2,3', '--limit', '6', '--tasks', 'hellaswag,arc_easy', '--generate');
    const files = ['--json', 'all.json', '--samples', 'all.jsonl'];
    const { code, stderr, stdout } = await espalierProcess([...args, ...files], root);
    expect({ code, stderr: stderr.split('\n').length }).toEqual({ code: 0, stderr: 3 });
    expect(stdout).toContain('stories260k without 2,3');
    const results = JSON.parse(readFileSync(join(root, 'all.json'), 'utf8'));
    expect(Object.keys(results.results)).toEqual(['hellaswag', 'arc_easy']);
    expect(results.results.hellaswag).toMatchObject({
      'acc,none': expect.any(Number),
      'acc_stderr,none': expect.any(Number),
    });
    expect(results['n-samples'].hellaswag).toEqual({ original: expect.any(Number), effective: 6 });
    expect(results.models.map(({ dropSet }: { dropSet: number[] }) => dropSet)).toEqual([[], [2, 3]]);
    for (const comparison of results.comparisons) {
      expect(comparison).toMatchObject({ base: 'stories260k', variant: 'stories260k without 2,3' });
      expect(Object.keys(comparison)).toEqual(
        expect.arrayContaining(['task', 'metric', 'delta', 'pairedStderr', 'interval95', 'mcnemarP', 'flipped']),
      );
    }
    expect(results.peakMemoryBytes).toBeGreaterThan(0);
    const lines = readFileSync(join(root, 'all.jsonl'), 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(2 * 2 * 6);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      task: 'hellaswag',
      docId: 0,
      logLikelihoods: [0, 1, 2, 3].map(() => expect.any(Number)),
      isGreedy: [0, 1, 2, 3].map(() => expect.any(Boolean)),
      contextSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      continuationSha256: [0, 1, 2, 3].map(() => expect.stringMatching(/^[0-9a-f]{64}$/)),
      correct: expect.any(Boolean),
    });
  });

  it('takes the items that are there, and says which', async () => {
    const { stdout } = await espalier([...evaluate('--items', '3:100000'), '--json', 'some.json'], root);
    const results = JSON.parse(readFileSync(join(root, 'some.json'), 'utf8'));
    const { original, effective } = results['n-samples'].hellaswag;
    expect(effective).toBe(original - 3);
    expect(stdout).toContain('hellaswag');
  });

  it('says that tokenizers differ, and compares what can be compared', async () => {
    const { code, stdout } = await espalier(
      ['evaluate', stories, 'foreign', ...evaluate('--limit', '5').slice(2)],
      root,
    );
    expect(code).toBe(0);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('foreign and stories260k have different tokenizers');
  });
});

beforeAll(() => void vi.stubEnv('HF_HUB_CACHE', '/nowhere/hub'));
afterAll(() => void vi.unstubAllEnvs());

type Row = [what: string, args: string[], sentence: RegExp];
const rows: Row[] = [
  ['no task', ['evaluate', stories, '--data', data], /required option '--tasks/],
  [
    'no data that were pulled',
    ['evaluate', stories, '--tasks', 'piqa,mmlu'],
    /^The data of piqa \(baber\/piqa, split validation\) are not in \/nowhere\/hub; fetch them by `espalier pull --task piqa,mmlu`/,
  ],
  ['no name of a task', evaluate('--tasks', ','), /^No task was named; name some, such as/],
  [
    'an unknown task',
    evaluate('--tasks', 'helaswag'),
    /^There is no task or group of tasks called helaswag; did you mean hellaswag\?$/,
  ],
  ['an unknown subject', evaluate('--tasks', 'mmlu_medical_genetic'), /did you mean mmlu_medical_genetics\?$/],
  ['no item', evaluate('--limit', '0'), /'0' is invalid\. It must be a whole number of at least 1/],
  ['a range without items', evaluate('--items', '5:5'), /It must be A:B with A below B/],
  ['a range that is none', evaluate('--items', '5-9'), /It must be A:B with A below B/],
  [
    'items behind the end',
    evaluate('--items', '20000:20001'),
    /^hellaswag has \d+ items, counted from 0, and none of them is in 20000:20001/,
  ],
  ['two ways to say which', evaluate('--items', '0:5', '--limit', '5'), /^--items and --limit both say which items/],
  ['a folder without data', evaluate('--data', 'empty'), /hellaswag/],
  ['data of another form', evaluate('--data', 'wrong'), /hellaswag_val\.jsonl/],
  ['torn data', evaluate('--data', 'torn'), /Line 1 of hellaswag_val\.jsonl/],
  ['a block that is not there', evaluate('--drops', '2,9'), /9/],
  ['all blocks', evaluate('--drops', '0-4'), /block/],
  [
    'a model without tokenizer',
    ['evaluate', 'untold', ...evaluate('--limit', '5').slice(2)],
    /^There is no tokenizer\.json in .*untold; add the one/,
  ],
  ['no model', ['evaluate', 'nothing', ...evaluate().slice(2)], /nothing/],
  ['the same variant twice', evaluate('--drops', '2;2', '--limit', '5'), /is named twice; leave one out\.$/],
  ['samples where a folder is', evaluate('--samples', 'empty', '--limit', '5'), /empty cannot be written/],
  ['a memory that does not do', evaluate('--memory-limit', '100'), /only 100 MB may be used/],
];

describe('evaluate refuses', () => {
  it.each(rows)('%s', async (_, args, sentence) => {
    const before = contentsOf(root);
    const { code, stderr, stdout } = await espalier(args, root);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    const said = stderr.trimEnd().replace(/^espalier: /, '');
    expect(said).toMatch(sentence);
    expect(said).toMatch(/[.?]$/);
    expect(contentsOf(root)).toEqual(before);
  });
});
