// The data of tasks, pulled from the fake hub: which files, where they lie afterwards, what is refused, and that an evaluation
// finds them without being told where they are.
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadTask, resolveTasks } from '../../server/evaluation/tasks';
import { readHubSettings } from '../../server/hub/hubSettings';
import { neededOfTasks } from '../../server/hub/neededFiles';
import { pullDataSets } from '../../server/hub/pullDataSets';
import type { DownloadPlan } from '../../server/protocol/engine';
import { areAllParts, splitsOf } from '../../server/shared/dataSetFiles';
import { singleTaskNames } from '../../server/shared/tasks';
import { espalier } from '../cli/inProcess';
import { fixtures } from '../evaluation/golden';
import { modelFolder, repoRoot } from '../fixtures';
import { arc, documents, hellaswag, listings } from './dataSets';
import { mainCommit } from './fake/repositories';
import { type FakeHub, openFakeHub } from './fakeHub';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'pull-data-')));
let hub: FakeHub;
beforeAll(async () => {
  hub = await openFakeHub({
    'datasets/Rowan/hellaswag': hellaswag,
    'datasets/allenai/ai2_arc': arc,
    'datasets/baber/piqa': { files: { 'piqa_validation.parquet': 'x', 'piqa_train.parquet': 'y' }, gatedTo: ['hf_a'] },
    'datasets/aps/super_glue': { files: { 'boolq/validation.jsonl': documents('boolq/validation.jsonl') } },
    'datasets/allenai/openbookqa': {
      files: { 'main/test-00000-of-00002.parquet': 'x', 'main/train.jsonl': '' },
    },
    'datasets/allenai/winogrande': {
      files: { 'winogrande_xl/validation.jsonl': 'x', 'winogrande_xl/train.jsonl': 'x' },
      saidBytes: { 'winogrande_xl/train.jsonl': 9e15 },
    },
  });
});
afterAll(async () => {
  for (const name of ['HF_ENDPOINT', 'HF_HUB_CACHE', 'HF_HOME']) delete process.env[name];
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  hub.asked.length = 0;
});

let nCaches = 0;
const newCache = () => join(root, `cache-${nCaches++}`);

async function pull(names: string[], cache = newCache(), environment: Record<string, string> = {}) {
  const settings = await readHubSettings({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, ...environment }, root);
  const plans: DownloadPlan[] = [];
  const pulled = await pullDataSets(settings, resolveTasks(names).tasks, {
    signal: new AbortController().signal,
    onPlan: (plan) => void plans.push(plan),
    onProgress: () => {},
    onWarning: () => {},
    pause: async () => {},
  });
  return { ...pulled, plans, cache };
}

const refused = (work: Promise<unknown>): Promise<{ code: string; message: string }> =>
  work.then(
    () => ({ code: 'accepted', message: '' }),
    (error) => error,
  );

const filesAsked = () => hub.asked.filter(({ path }) => /\/resolve\/|signature/.test(path));
const inSnapshot = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

describe('of the repositories as they are', () => {
  it.each([
    { task: 'hellaswag', needs: ['data/validation-*', 'data/train-*', 'README.md'] },
    { task: 'arc_easy', needs: ['ARC-Easy/test-*', 'ARC-Easy/train-*', 'README.md'] },
    { task: 'arc_challenge', needs: ['ARC-Challenge/test-*', 'ARC-Challenge/train-*', 'README.md'] },
    { task: 'boolq', needs: ['boolq/validation-*', 'boolq/train-*', 'README.md'] },
    { task: 'piqa', needs: ['piqa_validation.parquet', 'piqa_train.parquet'] },
    { task: 'winogrande', needs: ['winogrande_xl/validation-*', 'winogrande_xl/train-*', 'README.md'] },
    { task: 'openbookqa', needs: ['main/test-*', 'main/train-*', 'README.md'] },
    { task: 'lambada_openai', needs: ['default/test/0000.parquet', 'README.md'] },
    { task: 'mmlu_virology', needs: ['virology/test-*', 'virology/dev-*', 'README.md'] },
    { task: 'wikitext', needs: ['wikitext-2-raw-v1/wikitext-2-raw-v1-test.parquet', 'README.md'] },
  ])('$task needs $needs', ({ task, needs }) => {
    const [found] = resolveTasks([task]).tasks;
    const named = needs.map((name) => name.replace('*', '00000-of-00001.parquet'));
    expect(neededOfTasks([found!], listings[found!.hub.dataset]!)).toEqual({ files: named });
  });

  it('the page says where each is from', () => {
    const page = readFileSync(join(repoRoot, 'docs/pull.md'), 'utf8');
    const rows = page.split('\n').filter((line) => line.startsWith('| '));
    for (const { name, hub: place, ...task } of resolveTasks(['ai2_arc', ...singleTaskNames]).tasks) {
      const row = rows.find((line) => line.split('|')[1]!.includes(name));
      for (const part of [place.dataset, place.config ?? '', splitsOf(task).join(', ')]) expect(row).toContain(part);
    }
  });

  it.each([
    { paths: ['a-00000-of-00002.parquet', 'a-00001-of-00002.parquet'], is: true },
    { paths: ['a-00000-of-00001-5ef3.parquet'], is: true },
    { paths: ['a-00001-of-00002.parquet'], is: false },
    { paths: ['validation.jsonl', 'validation-more.jsonl'], is: true },
    { paths: [], is: false },
  ])('all parts are there of $paths: $is', ({ paths, is }) => {
    expect(areAllParts(paths)).toBe(is);
  });
});

describe('data that were pulled', () => {
  it('are the splits of the tasks, in the cache as Python’s tools have it', async () => {
    const { sets, plans, cache, fetchedBytes } = await pull(['arc_easy', 'hellaswag', 'arc_challenge']);
    expect(sets.map(({ dataset, commit }) => ({ dataset, commit }))).toEqual([
      { dataset: 'allenai/ai2_arc', commit: mainCommit },
      { dataset: 'Rowan/hellaswag', commit: mainCommit },
    ]);
    const [first, second] = sets;
    expect(first!.folder).toBe(join(cache, 'datasets--allenai--ai2_arc/snapshots', mainCommit));
    expect(inSnapshot(first!.folder)).toEqual(
      Object.keys(arc.files)
        .filter((name) => !name.includes('validation'))
        .sort(),
    );
    expect(inSnapshot(second!.folder)).toEqual(Object.keys(hellaswag.files).sort());
    for (const [path, content] of Object.entries(hellaswag.files))
      expect(readFileSync(join(second!.folder, path), 'utf8'), path).toBe(content);
    expect(readFileSync(join(cache, 'datasets--Rowan--hellaswag/refs/main'), 'utf8')).toBe(mainCommit);
    expect(plans).toMatchObject([
      { sources: [{ repository: 'allenai/ai2_arc' }, { repository: 'Rowan/hellaswag' }], fetchBytes: fetchedBytes },
    ]);
  });

  it('are not fetched again, and more of the same set is added to them', async () => {
    const { cache } = await pull(['arc_easy']);
    hub.asked.length = 0;
    expect(await pull(['arc_easy'], cache)).toMatchObject({ fetchedBytes: 0, plans: [] });
    expect(filesAsked()).toEqual([]);
    const { sets } = await pull(['arc_challenge'], cache);
    expect(filesAsked().filter(({ path }) => path.includes('ARC-Easy'))).toEqual([]);
    expect(inSnapshot(sets[0]!.folder)).toHaveLength(5);
  });

  it('are found without a network', async () => {
    const { cache, sets } = await pull(['hellaswag']);
    hub.asked.length = 0;
    const found = await pull(['hellaswag'], cache, { HF_HUB_OFFLINE: '1' });
    expect(hub.asked).toEqual([]);
    expect(found.sets[0]!.folder).toBe(sets[0]!.folder);
    expect(found.sets[0]!.files).toEqual(
      expect.arrayContaining([
        { path: 'data/train.jsonl', sizeBytes: Buffer.from(hellaswag.files['data/train.jsonl']!).length },
      ]),
    );
  });

  it('are what an evaluation reads where no folder is named, in the order of the set', async () => {
    process.env.HF_HUB_CACHE = (await pull(['hellaswag', 'arc_easy'])).cache;
    for (const name of ['hellaswag', 'arc_easy']) {
      const [task] = resolveTasks([name]).tasks;
      const options = { items: null, fewShot: null };
      const pulled = await loadTask(task!, { data: null, ...options });
      expect(pulled.items).toEqual((await loadTask(task!, { data: join(fixtures, 'data'), ...options })).items);
    }
  });
});

describe('one sentence', () => {
  const offline = { HF_HUB_OFFLINE: '1' };
  it.each<{ what: string; tasks: string[]; environment?: Record<string, string>; code: string; says: RegExp }>([
    {
      what: 'no such set',
      tasks: ['wikitext'],
      code: 'notFound',
      says: /^http\S+ has no data set EleutherAI\/wikitext_document_level that is open to everybody;/,
    },
    {
      what: 'a gated set',
      tasks: ['piqa'],
      code: 'noAccess',
      says: /^baber\/piqa is gated: accept its licence on http\S+\/datasets\/baber\/piqa, make a token/,
    },
    {
      what: 'a split that is not there',
      tasks: ['boolq'],
      code: 'notFound',
      says: /^aps\/super_glue has no split train of boolq as Parquet or JSON lines; give a folder of your own by --data\.$/,
    },
    {
      what: 'a part that is not there',
      tasks: ['openbookqa'],
      code: 'notFound',
      says: /^allenai\/openbookqa has no split test of openbookqa/,
    },
    {
      what: 'a disk without room for all together',
      tasks: ['hellaswag', 'winogrande'],
      code: 'cannotFit',
      says: /^Rowan\/hellaswag, allenai\/winogrande need 9000000\.\d+ GB in \S+, but its disk has/,
    },
    {
      what: 'offline without a copy',
      tasks: ['hellaswag'],
      environment: offline,
      code: 'notFound',
      says: /^HF_HUB_OFFLINE is set, and the data of hellaswag \(Rowan\/hellaswag\) are not whole in /,
    },
  ])('says $what', async ({ tasks, environment, code, says }) => {
    const error = await refused(pull(tasks, newCache(), environment));
    expect(error).toMatchObject({ code, message: expect.stringMatching(says) });
    expect(error.message.split(/[.!?] [A-Z]/)).toHaveLength(1);
  });

  it('says offline that a part was lost', async () => {
    const { cache, sets } = await pull(['hellaswag']);
    rmSync(join(sets[0]!.folder, 'data/validation-00001-of-00002.jsonl'));
    expect(await refused(pull(['hellaswag'], cache, offline))).toMatchObject({ code: 'notFound' });
  });

  it.each([
    { what: 'without a cache', pulled: [], task: 'boolq', fewShot: null, split: 'validation' },
    {
      what: 'without another configuration',
      pulled: ['arc_easy'],
      task: 'arc_challenge',
      fewShot: null,
      split: 'test',
    },
    {
      what: 'without a part',
      pulled: ['hellaswag'],
      lost: 'data/validation-00000-of-00002.jsonl',
      task: 'hellaswag',
      fewShot: null,
      split: 'validation',
    },
    {
      what: 'without examples',
      pulled: ['hellaswag'],
      lost: 'data/train.jsonl',
      task: 'hellaswag',
      fewShot: 1,
      split: 'train',
    },
  ])('names the command that fetches them, $what', async ({ pulled, lost, task: name, fewShot, split }) => {
    const cache = newCache();
    for (const { folder } of pulled.length > 0 ? (await pull(pulled, cache)).sets : [])
      if (lost) rmSync(join(folder, lost));
    process.env.HF_HUB_CACHE = cache;
    const [task] = resolveTasks([name]).tasks;
    const error = await refused(loadTask(task!, { tasks: [name, 'mmlu'], data: null, items: null, fewShot }));
    expect(error).toMatchObject({
      code: 'notFound',
      message: `The data of ${name} (${task!.hub.dataset}, split ${split}) are not in ${cache}; fetch them by \`espalier pull --task ${name},mmlu\`, or name a folder that has them by --data.`,
    });
  });
});

describe('on the command line', () => {
  it('a first evaluation needs no setting but a pull', async () => {
    const cache = newCache();
    Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_HOME: root });
    const pulled = await espalier(['pull', '--task', 'arc_easy']);
    expect(pulled).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^pulled +allenai\/ai2_arc, commit a{40}\n(.*\n)*read by +espalier evaluate MODEL --tasks arc_easy\n$/,
      ),
      stderr: expect.stringMatching(/^allenai\/ai2_arc@main \(aaaaaaaa\): 3 files, /m),
    });
    const evaluated = await espalier([
      'evaluate',
      modelFolder('stories260k'),
      '--tasks',
      'arc_easy',
      '--limit',
      '2',
      '--json',
      '-',
    ]);
    const { tasks } = JSON.parse(evaluated.stdout) as { tasks: object[] };
    expect(tasks).toMatchObject([{ task: 'arc_easy', nItems: 2, files: [{ name: 'test-00000-of-00001.parquet' }] }]);
  });

  it.each([{ args: [] as string[] }, { args: ['o/n', '--task', 'hellaswag'] }])(
    'pull $args is refused',
    async ({ args }) => {
      const { code, stderr } = await espalier(['pull', ...args]);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: expect.stringContaining(
          'Say what to pull: either a model as OWNER/NAME, or --task NAMES for the data of benchmarks.',
        ),
      });
    },
  );

  it('and a task that nobody knows asks nothing', async () => {
    Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: newCache() });
    const { code, stderr } = await espalier(['pull', '--task', 'hellaswagg']);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean hellaswag') });
    expect(hub.asked).toEqual([]);
    expect(existsSync(process.env.HF_HUB_CACHE!)).toBe(false);
  });
});
