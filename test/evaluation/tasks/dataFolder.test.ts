// Documents from every form that they may lie in, and what is said where they do not.
import { createHash } from 'node:crypto';
import { lutimesSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isUserError } from '../../../server/errors';
import { loadTask, resolveTasks } from '../../../server/evaluation/tasks';
import { readQuestions } from '../../../server/evaluation/tasks/dataFolder';
import type { Task } from '../../../server/evaluation/tasks/task';
import { available, dataFolder } from '../../fixtures';
import { fixtures } from '../golden';
import type { Split } from '../../../server/shared/tasks';

const taskNamed = (name: string): Task => resolveTasks([name]).tasks[0]!;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-tasks-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

const lines = (...rows: object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

const arcQuestion = {
  kind: 'choices',
  context: 'Question: Why?\nAnswer:',
  choices: ['no', 'yes', 'so'],
  gold: 1,
};
const arcHub = {
  id: 'x',
  question: 'Why?',
  choices: { text: ['no', 'yes', 'so'], label: ['1', '2', '3'] },
  answerKey: '2',
};
const arcOriginal = {
  question: {
    stem: 'Why?',
    choices: [
      { text: 'no', label: 'A' },
      { text: 'yes', label: 'B' },
      { text: 'so', label: 'C' },
    ],
  },
  answerKey: 'B',
};
const mmluQuestion = {
  kind: 'choices',
  context: 'How many?\nA. 1\nB. 2\nC. three, or so\nD. 4\nAnswer:',
  choices: ['A', 'B', 'C', 'D'],
  gold: 2,
};
const mmluHub = { question: ' How many? ', subject: 'anatomy', choices: ['1', '2', 'three, or so', '4'], answer: 2 };
const openbookqaQuestion = { kind: 'choices', context: 'Dogs', choices: ['bark', 'purr (A)'], gold: 1 };
const hellaswagQuestion = {
  kind: 'choices',
  context: 'Roof. A: He climbs. Then he falls',
  choices: ['down. ', 'up'],
  gold: 0,
};
const winograndeQuestion = {
  kind: 'contexts',
  contexts: ['Ann saw Eve so Ann', 'Ann saw Eve so Eve'],
  continuation: 'waved.',
  gold: 1,
};

interface Row {
  task: string;
  form: string;
  split?: Split;
  files: Record<string, string>;
  gives: object;
}

const forms: Row[] = [
  { task: 'arc_easy', form: 'hub', files: { 'arc_easy/test.jsonl': lines(arcHub) }, gives: arcQuestion },
  {
    task: 'arc_easy',
    form: 'hub, as a snapshot',
    files: { 'a/ai2_arc/ARC-Easy/test.json': JSON.stringify([arcHub]) },
    gives: arcQuestion,
  },
  {
    task: 'arc_easy',
    form: 'llm-foundry',
    files: {
      'd/llm-foundry-icl/arc_easy.jsonl': lines({ query: 'Question: Why?', choices: ['no', 'yes', 'so'], gold: 1 }),
    },
    gives: arcQuestion,
  },
  {
    task: 'arc_challenge',
    form: 'original',
    files: { 'ARC-V1/ARC-Challenge/ARC-Challenge-Test.jsonl': lines(arcOriginal) },
    gives: arcQuestion,
  },
  {
    task: 'arc_challenge',
    form: 'original',
    split: 'train',
    files: { 'arc/ARC-Challenge-Train.jsonl': lines(arcOriginal) },
    gives: arcQuestion,
  },
  { task: 'mmlu_anatomy', form: 'hub', files: { 'mmlu/anatomy/test.jsonl': lines(mmluHub) }, gives: mmluQuestion },
  {
    task: 'mmlu_anatomy',
    form: 'CSV with a header',
    files: {
      'mmlu/test/anatomy_test.csv':
        'question,choice0,choice1,choice2,choice3,answer\nHow many? ,1,2,"three, or so",4,2\n',
    },
    gives: mmluQuestion,
  },
  {
    task: 'mmlu_anatomy',
    form: 'CSV without',
    files: { 'data/test/anatomy_test.csv': 'How many?,1,2,"three, or so",4,C\n' },
    gives: mmluQuestion,
  },
  {
    task: 'mmlu_anatomy',
    form: 'CSV without',
    split: 'dev',
    files: { 'mmlu/dev/anatomy_dev.csv': 'How many?,1,2,"three, or so",4,C\n' },
    gives: mmluQuestion,
  },
  {
    task: 'openbookqa',
    form: 'TSV',
    files: {
      'openbookqa/test.tsv':
        'ID\tQuestion Stem\tChoices\tComplete Question\tAnswer Key\r\n1\tDogs\t(A) bark (B) purr (A)\tDogs ..\tB\r\n',
    },
    gives: { ...openbookqaQuestion, choices: ['bark', 'purr (A)'] },
  },
  {
    task: 'openbookqa',
    form: 'original',
    files: {
      'Main/test.jsonl': lines({
        question: {
          stem: 'Dogs',
          choices: [
            { text: 'bark', label: 'A' },
            { text: 'purr (A)', label: 'B' },
          ],
        },
        answerKey: ' B',
      }),
    },
    gives: openbookqaQuestion,
  },
  {
    task: 'openbookqa',
    form: 'hub',
    files: {
      'openbookqa/main/test.jsonl': lines({
        question_stem: 'Dogs',
        choices: { text: ['bark', 'purr (A)'], label: ['A', 'B'] },
        answerKey: 'B',
      }),
    },
    gives: openbookqaQuestion,
  },
  {
    task: 'hellaswag',
    form: 'original',
    files: {
      'hellaswag/hellaswag_val.jsonl': lines({
        activity_label: 'Roof [title] A',
        ctx_a: 'He climbs.',
        ctx_b: 'then HE falls',
        endings: [' down. [step] ', 'up'],
        label: 0,
      }),
    },
    gives: { ...hellaswagQuestion },
  },
  {
    task: 'hellaswag',
    form: 'joined',
    files: {
      'hellaswag/hellaswag_val.jsonl': lines({
        ctx: 'Roof: He climbs. then HE falls',
        endings: ['down', 'up'],
        label: 0,
      }),
    },
    gives: { kind: 'choices', context: 'Roof: He climbs. Then he falls', choices: ['down', 'up'], gold: 0 },
  },
  {
    task: 'boolq',
    form: 'SuperGLUE',
    files: { 'BoolQ/val.jsonl': lines({ passage: 'P', question: 'q', idx: 0, label: true }) },
    gives: { kind: 'choices', context: 'P\nQuestion: q?\nAnswer:', choices: ['no', 'yes'], gold: 1 },
  },
  {
    task: 'boolq',
    form: 'llm-foundry',
    files: {
      'llm-foundry-icl/boolq.jsonl': lines({ query: 'Passage: P\nQuestion: q?', choices: ['no', 'yes'], gold: 0 }),
    },
    gives: { kind: 'choices', context: 'P\nQuestion: q?\nAnswer:', choices: ['no', 'yes'], gold: 0 },
  },
  {
    task: 'piqa',
    form: 'original',
    files: { 'piqa/valid.jsonl': lines({ goal: 'G', sol1: 'a ', sol2: 'b' }), 'piqa/valid-labels.lst': '1\n' },
    gives: { kind: 'choices', context: 'Question: G\nAnswer:', choices: ['a ', 'b'], gold: 1 },
  },
  {
    task: 'piqa',
    form: 'original',
    split: 'train',
    files: { 'piqa/train.jsonl': lines({ goal: 'G', sol1: 'a ', sol2: 'b' }), 'piqa/train-labels.lst': '1\n' },
    gives: { kind: 'choices', context: 'Question: G\nAnswer:', choices: ['a ', 'b'], gold: 1 },
  },
  {
    task: 'winogrande',
    form: 'original',
    split: 'train',
    files: {
      'winogrande_1.1/train_xl.jsonl': lines({
        qID: 'x',
        sentence: 'Ann saw Eve so _ waved. ',
        option1: 'Ann',
        option2: 'Eve',
        answer: '2',
      }),
    },
    gives: winograndeQuestion,
  },
  {
    task: 'winogrande',
    form: 'llm-foundry',
    files: {
      'llm-foundry-icl/winogrande.jsonl': lines({
        context_options: ['Ann saw Eve so Ann', 'Ann saw Eve so Eve'],
        continuation: 'waved.',
        gold: 1,
      }),
    },
    gives: winograndeQuestion,
  },
  {
    task: 'lambada_openai',
    form: 'the release of GPT-2',
    files: { 'lambada/lambada_test.jsonl': lines({ text: 'the last  word' }) },
    gives: { kind: 'target', context: 'the last ', target: ' word' },
  },
  {
    task: 'lambada_openai',
    form: 'llm-foundry',
    files: { 'llm-foundry-icl/lambada_openai.jsonl': lines({ context: 'the last', continuation: 'word' }) },
    gives: { kind: 'target', context: 'the last', target: ' word' },
  },
  {
    task: 'wikitext',
    form: 'hub',
    files: { 'wikitext/test.jsonl': lines({ page: ' = A = \n \n An @-@ b ( c ) .\n' }) },
    gives: { kind: 'page', text: ' = A =\n\nAn-b (c) .\n', nWords: 12, nBytes: 28 },
  },
  {
    task: 'wikitext',
    form: 'raw',
    files: { 'wikitext-2-raw/wiki.test.raw': ' \n = A = \n \n An @-@ b ( c ) .\n' },
    gives: { kind: 'page', text: ' = A =\n\nAn-b (c) .\n', nWords: 12, nBytes: 28 },
  },
];

describe('a document is the same from every form', () => {
  it.each(forms)('$task, $form', async ({ task: name, split, files, gives }) => {
    write(files);
    const task = taskNamed(name);
    const { questions } = await readQuestions(folder, task, split ?? task.split);
    expect(questions).toEqual([gives]);
  });
});

describe('whatever stands in the cells', () => {
  const cell = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((it) => !/[\r\ufeff]/.test(it));
  const quoted = (cells: readonly string[]): string =>
    `${cells.map((it) => `"${it.replaceAll('"', '""')}"`).join(',')}\n`;
  const questionOf = async (task: string, files: Record<string, string>) => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    write(files);
    return (await readQuestions(folder, taskNamed(task), 'test')).questions[0];
  };

  it('MMLU is the same as JSON lines and as CSV, with and without a header', async () => {
    const row = fc.tuple(cell, fc.tuple(cell, cell, cell, cell), fc.integer({ min: 0, max: 3 }));
    await fc.assert(
      fc.asyncProperty(row, async ([question, choices, answer]) => {
        const name = 'mmlu/test/anatomy_test.csv';
        const header = quoted(['question', 'choice0', 'choice1', 'choice2', 'choice3', 'answer']);
        const hub = await questionOf('mmlu_anatomy', {
          'mmlu/anatomy/test.jsonl': lines({ question, choices, answer }),
        });
        const headed = { [name]: header + quoted([question, ...choices, String(answer)]) };
        const headless = { [name]: quoted([question, ...choices, 'ABCD'[answer]!]) };
        expect(await questionOf('mmlu_anatomy', headed)).toEqual(hub);
        expect(await questionOf('mmlu_anatomy', headless)).toEqual(hub);
      }),
      { numRuns: 60 },
    );
  });

  it('OpenBookQA is the same as JSON lines and between tabs', async () => {
    const plain = cell.map((it) => it.replace(/[\s(]/g, 'x'));
    const row = fc.tuple(plain, fc.tuple(plain, plain, plain, plain), fc.integer({ min: 0, max: 3 }));
    await fc.assert(
      fc.asyncProperty(row, async ([stem, texts, gold]) => {
        const key = 'ABCD'[gold]!;
        const label = [...'ABCD'];
        const joined = texts.map((it, i) => `(${label[i]}) ${it}`).join(' ');
        const tsv = `ID\tQuestion Stem\tChoices\tComplete Question\tAnswer Key\n1\t${stem}\t${joined}\t-\t${key}\n`;
        const hub = lines({ question_stem: stem, choices: { text: texts, label }, answerKey: key });
        expect(await questionOf('openbookqa', { 'openbookqa/test.tsv': tsv })).toEqual(
          await questionOf('openbookqa', { 'openbookqa/main/test.jsonl': hub }),
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe('files are chosen', () => {
  it('all parts of a set, in order, and of two sets the one that lies less deep', async () => {
    const part = (context: string) => lines({ text: `${context} end` });
    write({
      'deep/lambada_openai/test-0.jsonl': part('no'),
      'lambada_openai/test-1.jsonl': part('b'),
      'lambada_openai/test-0.jsonl': part('a'),
    });
    const { questions, files } = await readQuestions(folder, taskNamed('lambada_openai'), 'test');
    expect(questions.map((question) => question.kind === 'target' && question.context)).toEqual(['a', 'b']);
    expect(files.map(({ name }) => name)).toEqual(['test-0.jsonl', 'test-1.jsonl']);
  });

  it('Parquet from the checkout, with numbers of 64 bits and nested columns', async () => {
    const { facts } = await loadTask(taskNamed('arc_easy'), { data: fixtures, items: null, fewShot: null });
    expect(facts).toMatchObject({ nItems: 40, nItemsOfTask: 40, nFewShot: 0, chance: expect.closeTo(0.25, 2) });
    expect(facts.files).toEqual([
      { name: 'test-00000-of-00001.parquet', sha256: expect.stringMatching(/^[0-9a-f]{64}$/), sizeBytes: 8462 },
    ]);
  });
});

describe('layouts', () => {
  const part = (context: string) => lines({ text: `${context} end` });
  const lambada = async (data: string) =>
    (await readQuestions(data, taskNamed('lambada_openai'), 'test')).questions.map(
      (question) => question.kind === 'target' && question.context,
    );
  const set = 'hub/datasets--EleutherAI--lambada_openai';

  /** As huggingface_hub lays it down: snapshots are links to blobs that have no endings. */
  function cached(revision: string, context: string): void {
    write({ [`${set}/blobs/${revision}`]: part(context) });
    mkdirSync(join(folder, set, 'snapshots', revision, 'default'), { recursive: true });
    symlinkSync(`../../../blobs/${revision}`, join(folder, set, 'snapshots', revision, 'default/test.jsonl'));
  }

  it.each([
    ['the cache', 'hub'],
    ['what the cache lies in', '.'],
    ["the set's folder there", set],
    ['its snapshots', `${set}/snapshots`],
    ['one snapshot', `${set}/snapshots/aa`],
  ])("are found in Hugging Face's cache, given %s", async (_, given) => {
    cached('aa', 'a');
    write({ 'hub/models--EleutherAI--x/snapshots/r/default/test.jsonl': part('of a model') });
    expect(await lambada(join(folder, given))).toEqual(['a']);
  });

  it('of several revisions the main one is meant, else the last, else the one that is given', async () => {
    cached('aa', 'a');
    cached('bb', 'b');
    lutimesSync(join(folder, set, 'snapshots/aa/default/test.jsonl'), 1000, 1000);
    expect(await lambada(join(folder, 'hub'))).toEqual(['b']);
    write({ [`${set}/refs/main`]: 'aa' });
    expect(await lambada(join(folder, 'hub'))).toEqual(['a']);
    expect(await lambada(join(folder, set))).toEqual(['a']);
    expect(await lambada(join(folder, set, 'snapshots/bb'))).toEqual(['b']);
  });

  it('folders of that name that are no cache stay as they are', async () => {
    write({ 'snapshots/1/lambada_openai/test-0.jsonl': part('a'), 'snapshots/2/other/test.jsonl': part('b') });
    expect(await lambada(folder)).toEqual(['a']);
  });

  it.each([
    ["under the set's own name", 'lambada_openai', 'test.jsonl'],
    ['under any name', 'my-folder', 'default/test.jsonl'],
    ['compressed', 'lambada_openai', 'test.jsonl.gz'],
    ['as lines that are named .json', 'lambada_openai', 'test.json'],
    ['as lines that are named .json and compressed', 'x/lambada_openai/default', 'test.json.gz'],
  ])('a set may be given alone, %s', async (_, own, name) => {
    write({ [`${own}/${name}`]: part('a') });
    if (name.endsWith('.gz')) writeFileSync(join(folder, own, name), gzipSync(part('a')));
    expect(await lambada(join(folder, own))).toEqual(['a']);
  });

  it('and not for another one: columns decide', async () => {
    write({ 'validation.jsonl': lines({ question: 'q', answer: 'a' }) });
    await expect(readQuestions(folder, taskNamed('piqa'), 'validation')).rejects.toThrow(
      /validation\.jsonl holds no documents of piqa/,
    );
    await expect(readQuestions(folder, taskNamed('mmlu_anatomy'), 'test')).rejects.toThrow(/There is no data for/);
  });
});

describe('what cannot be read is said in a sentence', () => {
  const refusals: { task: string; files: Record<string, string>; says: string }[] = [
    {
      task: 'boolq',
      files: { 'other.txt': '' },
      says:
        'notFound: There is no data for boolq (split validation) in FOLDER, where boolq/validation*.parquet, ' +
        'llm-foundry-icl/boolq.jsonl were looked for; leave --data out after `espalier pull --task boolq`, get the split from aps/super_glue (boolq), or name another folder.',
    },
    {
      task: 'piqa',
      files: { 'piqa/valid.jsonl': lines({ goal: 'G', sol1: 'a', sol2: 'b' }) },
      says: 'notFound: There is no valid-labels.lst beside piqa/valid.jsonl in FOLDER; put both there.',
    },
    {
      task: 'piqa',
      files: { 'piqa/valid.jsonl': lines({ goal: 'G', sol1: 'a', sol2: 'b' }), 'piqa/valid-labels.lst': '1\n0\n' },
      says: 'badData: valid.jsonl has 1 documents and its file of labels 2; get both from one place.',
    },
    {
      task: 'hellaswag',
      files: { 'hellaswag/hellaswag_val.jsonl': lines({ text: 'x' }) },
      says:
        'badData: hellaswag/hellaswag_val.jsonl holds no documents of hellaswag: it needs columns activity_label, ctx_a, ' +
        'ctx_b, endings, label, or columns ctx, endings, label; put the right file there.',
    },
    {
      task: 'mmlu_anatomy',
      files: { 'mmlu/test/anatomy_test.csv': 'a,b,c\nd,e,f\n' },
      says:
        'badData: mmlu/test/anatomy_test.csv holds no documents of mmlu_anatomy: it needs columns question, choice0, ' +
        'choice1, choice2, choice3, answer, or six cells a row, the last of them A, B, C or D; put the right file there.',
    },
    {
      task: 'arc_easy',
      files: { 'arc_easy/test.jsonl': lines(arcHub, { ...arcHub, choices: 'none' }) },
      says: 'badData: Line 2 of test.jsonl has no usable choices; the file needs columns question, choices, answerKey.',
    },
    {
      task: 'arc_easy',
      files: { 'arc_easy/test.jsonl': lines({ ...arcHub, answerKey: 'D' }) },
      says: 'badData: Line 1 of test.jsonl has an answer that is none of its 3 choices; repair or remove it.',
    },
    {
      task: 'mmlu_anatomy',
      files: { 'mmlu/anatomy/test.jsonl': lines({ ...mmluHub, choices: ['1', '2', '3'] }) },
      says: 'badData: Line 1 of test.jsonl has no usable choices; the file needs columns question, choices, answer.',
    },
    {
      task: 'winogrande',
      files: { 'winogrande/dev.jsonl': lines({ sentence: 'No gap', option1: 'a', option2: 'b', answer: '1' }) },
      says: 'badData: Line 1 of dev.jsonl has no usable sentence; the file needs columns sentence, option1, option2, answer.',
    },
    {
      task: 'boolq',
      files: { 'boolq/validation.jsonl': '{' },
      says: 'badData: Line 1 of validation.jsonl is not valid JSON; repair or remove it.',
    },
    {
      task: 'boolq',
      files: { 'boolq/validation-0.parquet': 'PAR0' },
      says: 'badData: validation-0.parquet is not a readable Parquet file: ',
    },
  ];

  it.each(refusals)('$says', async ({ task: name, files, says }) => {
    write(files);
    const task = taskNamed(name);
    const said = await readQuestions(folder, task, task.split).catch((error: unknown) =>
      isUserError(error) ? `${error.code}: ${error.message}` : Promise.reject(error),
    );
    expect(String(said).replaceAll(folder, 'FOLDER').slice(0, says.length)).toBe(says);
  });

  it('and a folder that is not there', async () => {
    const missing = join(folder, 'missing');
    await expect(readQuestions(missing, taskNamed('boolq'), 'validation')).rejects.toThrow(
      `There is no folder ${missing}; name the one with the data of the tasks.`,
    );
  });
});

describe.skipIf(!available(join(dataFolder, 'data')))(
  'whole sets give the requests that the harness makes of them',
  () => {
    const file = join(fixtures, 'whole-sets.json');
    const sets = JSON.parse(readFileSync(file, 'utf8')) as Record<
      string,
      { nItems: number; nRequests: number; sha256: string }
    >;

    it.each(Object.entries(sets))('%s', async (name, expected) => {
      const fewShot = name.startsWith('mmlu_') ? 5 : null;
      const { items } = await loadTask(taskNamed(name), { data: dataFolder, items: null, fewShot });
      const hash = createHash('sha256');
      const requests = items.flatMap((item) => item.requests);
      for (const request of requests)
        for (const text of request.kind === 'rolling' ? [request.text] : [request.context, request.continuation])
          hash.update(`${text}\0`);
      expect({ nItems: items.length, nRequests: requests.length, sha256: hash.digest('hex') }).toEqual(expected);
    });
  },
);
