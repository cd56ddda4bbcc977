// Ways out of the folders that a recipe may work in, by what others have put there and by what changes while a run waits. Whatever is
// tried, nothing outside is read into an output, written, or removed.
import { randomUUID } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { writeStagedFile } from '../../server/checkpoint/stagedFile';
import { isUserError } from '../../server/errors';
import { removeTree } from '../../server/files/remove';
import { type Recipe, recipeSchema } from '../../server/recipes/kinds';
import { runRecipe } from '../../server/recipes/runRecipe';
import { replaceText } from '../../server/files/replaceText';
import { storyText } from '../recipes/healing';
import { connect, errorOf, newFolder, reaches, startServer, stopServer, stories } from './client';

const root = newFolder();
const secret = 'TOP-SECRET-6f1c';
/** What nobody here may touch. */
const outside = join(root, 'outside');
const texts = join(root, 'texts');
const text = join(texts, 'text.txt');

interface Place {
  readonly folder: string;
  readonly model: string;
  readonly out: string;
  at(...names: string[]): string;
}
let n = 0;
function place(): Place {
  const folder = join(root, `${n++}`);
  const at = (...names: string[]) => join(folder, ...names);
  cpSync(stories, at('model'), { recursive: true });
  return { folder, model: at('model'), out: at('out'), at };
}

/** Puts a link in the place of what is there. */
function link(path: string, target: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

beforeAll(async () => {
  mkdirSync(texts);
  writeFileSync(text, storyText(400));
  cpSync(stories, join(outside, 'model'), { recursive: true });
  const config = JSON.parse(readFileSync(join(stories, 'config.json'), 'utf8'));
  writeFileSync(join(outside, 'model/config.json'), JSON.stringify({ ...config, secret }));
  writeFileSync(join(outside, 'secret.txt'), secret);
  writeFileSync(join(outside, 'secret.json'), JSON.stringify({ secret }));
  mkdirSync(join(outside, 'templates'));
  writeFileSync(join(outside, 'templates/a.jinja'), secret);
  mkdirSync(join(outside, 'piqa'));
  writeFileSync(join(outside, 'piqa/validation.jsonl'), `{"goal":"${secret}","sol1":"a","sol2":"b","label":0}\n`);
  await carryOut(heal({ model: stories, out: join(outside, 'lora') }));
  await carryOut(study({ model: stories, out: join(outside, 'study') }));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const carryOut = (recipe: Recipe): Promise<unknown> =>
  runRecipe(recipe, { signal: new AbortController().signal, emit: () => {} });
const rule = { kind: 'chosen', blocks: [1], attention: [], mlp: [] };
const source = { kind: 'text', files: [text], sequences: 2, tokens: 32 };
const prune = ({ model, out }: { model: string; out: string }): Recipe =>
  recipeSchema.parse({ kind: 'prune', model, rule, out });
const heal = ({ model, out, ...more }: { model: string; out: string; [field: string]: unknown }): Recipe =>
  recipeSchema.parse({
    kind: 'heal',
    model,
    data: { files: [text], tokens: 32 },
    loop: { steps: 2, saveEverySteps: 1, evaluateEverySteps: 1 },
    out,
    ...more,
  });
const merge = ({ model, out }: Place, adapter: string): Recipe =>
  recipeSchema.parse({ kind: 'merge', model, adapter, out });
const evaluate = ({ model, at }: Place): Recipe =>
  recipeSchema.parse({ kind: 'evaluate', models: [model], tasks: ['piqa'], data: at('data'), samples: at('samples') });
const study = ({ model, out }: { model: string; out: string }): Recipe =>
  recipeSchema.parse({ kind: 'study', model, source, methods: ['deepest'], counts: [1], perplexity: source, out });

/** All that lies outside: names, sizes, times and content. */
const stateOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const stats = statSync(join(folder, name));
      return `${name} ${stats.ino} ${stats.size} ${stats.mtimeMs}`;
    });

/** Files that we wrote and that hold what only lies outside. */
function leaksIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(secret));
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'accepted';
  } catch (error) {
    if (isUserError(error)) return error.code;
    throw error;
  }
}

interface Row {
  readonly what: string;
  /** Makes the attack; gives back the recipe that falls for it. */
  readonly attack: (place: Place) => Recipe | Promise<Recipe>;
  /** What becomes of it: refused for leading out where nothing stands. */
  readonly becomes?: string;
}

const modelRow = (file: string, target: string): Row => ({
  what: `prune: ${file} is a link out`,
  attack(place) {
    link(join(place.model, file), join(outside, target));
    return prune(place);
  },
});

/** A hub's cache with the model in it; `break` makes it lead out. */
const hubRow = (what: string, breakIt: (repository: string, snapshot: string) => void, becomes?: string): Row => ({
  what: `prune: ${what}`,
  attack({ model, at, out }) {
    const repository = at('models--owner--name');
    const snapshot = join(repository, 'snapshots/abc');
    for (const folder of ['blobs', 'refs', 'snapshots/abc']) mkdirSync(join(repository, folder), { recursive: true });
    for (const file of readdirSync(model)) {
      cpSync(join(model, file), join(repository, 'blobs', `sha-${file}`));
      symlinkSync(`../../blobs/sha-${file}`, join(snapshot, file));
    }
    writeFileSync(join(repository, 'refs/main'), 'abc');
    breakIt(repository, snapshot);
    return prune({ model: repository, out });
  },
  ...(becomes && { becomes }),
});

const sha = 'a'.repeat(64);

/** A folder outside of the cache whose tokenizer is a link to the target. */
const downloadRow = (what: string, targetOf: (blobs: string, at: Place['at']) => string, becomes?: string): Row => ({
  what: `prune: a file is a link to ${what}`,
  attack(place) {
    process.env.HF_HUB_CACHE = place.at('cache');
    const target = targetOf(place.at('cache/models--owner--name/blobs'), place.at);
    mkdirSync(place.at('cache'));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(stories, 'tokenizer.json'), target);
    link(join(place.model, 'tokenizer.json'), target);
    return prune(place);
  },
  ...(becomes && { becomes }),
});
afterEach(() => void delete process.env.HF_HUB_CACHE);

/** A healing that is to be resumed, in a folder that somebody has changed. */
const healRow = (what: string, change: (out: string) => void, becomes?: string): Row => ({
  what: `heal --resume: ${what}`,
  async attack({ model, out }) {
    await carryOut(heal({ model, out }));
    change(out);
    return heal({ model, out, resume: true });
  },
  ...(becomes && { becomes }),
});

const studyRow = (what: string, change: (out: string) => void): Row => ({
  what: `study: ${what}`,
  async attack({ model, out }) {
    await carryOut(study({ model, out }));
    change(out);
    return study({ model, out });
  },
});

const rows: readonly Row[] = [
  modelRow('config.json', 'model/config.json'),
  modelRow('model.safetensors', 'model/model.safetensors'),
  modelRow('tokenizer.json', 'model/tokenizer.json'),
  modelRow('tokenizer_config.json', 'secret.json'),
  modelRow('special_tokens_map.json', 'secret.json'),
  modelRow('chat_template.jinja', 'secret.txt'),
  modelRow('additional_chat_templates/a.jinja', 'secret.txt'),
  modelRow('additional_chat_templates', 'templates'),
  modelRow('generation_config.json', 'secret.json'),
  modelRow('LICENSE', 'secret.txt'),
  modelRow('vocab.json', 'secret.json'),
  modelRow('espalier.json', 'secret.json'),
  {
    what: 'prune: code that config.json names is a link out',
    attack(place) {
      const config = join(place.model, 'config.json');
      const json = JSON.parse(readFileSync(config, 'utf8'));
      writeFileSync(config, JSON.stringify({ ...json, auto_map: { AutoConfig: 'code.Config' } }));
      link(join(place.model, 'code.py'), join(outside, 'secret.txt'));
      return prune(place);
    },
  },
  {
    what: 'prune: the index names ../ and a file outside',
    attack(place) {
      rmSync(join(place.model, 'model.safetensors'));
      const index = { metadata: {}, weight_map: { 'model.norm.weight': '../../outside/model/model.safetensors' } };
      writeFileSync(join(place.model, 'model.safetensors.index.json'), JSON.stringify(index));
      return prune(place);
    },
    becomes: 'damagedCheckpoint',
  },
  {
    what: 'prune: a shard is a link out',
    attack(place) {
      rmSync(join(place.model, 'model.safetensors'));
      const index = { metadata: {}, weight_map: { 'model.norm.weight': 'a.safetensors' } };
      writeFileSync(join(place.model, 'model.safetensors.index.json'), JSON.stringify(index));
      link(join(place.model, 'a.safetensors'), join(outside, 'model/model.safetensors'));
      return prune(place);
    },
  },
  hubRow('a snapshot is a link out', (_, snapshot) => link(snapshot, join(outside, 'model'))),
  hubRow('a blob is a link out', (repository) =>
    link(join(repository, 'blobs/sha-tokenizer.json'), join(outside, 'model/tokenizer.json')),
  ),
  hubRow(
    'refs/main names ../',
    (repository) => writeFileSync(join(repository, 'refs/main'), '../../outside/model'),
    'notFound',
  ),
  hubRow('a file is a link to a blob of another repository', (repository, snapshot) => {
    const other = join(dirname(repository), 'models--owner--private/blobs');
    mkdirSync(other, { recursive: true });
    cpSync(join(outside, 'model/config.json'), join(other, 'x'));
    link(join(snapshot, 'config.json'), join(other, 'x'));
  }),
  downloadRow('a blob of this user, as old tools of the hub have it', (blobs) => join(blobs, sha), 'accepted'),
  downloadRow('what is no blob, though it lies there', (blobs) => join(blobs, 'notes.json')),
  downloadRow('what is called like a blob in another place of the cache', (blobs) => join(dirname(blobs), sha)),
  downloadRow('what is called like a blob of another cache', (_, at) => at('other/models--owner--name/blobs', sha)),
  hubRow('untouched, its links lead to its own blobs', () => {}, 'accepted'),
  {
    what: 'merge: the weights of the adapter are a link out',
    attack(place) {
      cpSync(join(outside, 'lora'), place.at('lora'), { recursive: true });
      link(place.at('lora/adapter_model.safetensors'), join(outside, 'lora/adapter_model.safetensors'));
      return merge(place, place.at('lora'));
    },
  },
  {
    what: 'merge: the configuration of the adapter is a link out',
    attack(place) {
      cpSync(join(outside, 'lora'), place.at('lora'), { recursive: true });
      link(place.at('lora/adapter_config.json'), join(outside, 'lora/adapter_config.json'));
      return merge(place, place.at('lora'));
    },
  },
  {
    what: 'heal: the adapter to begin with is a link out',
    attack({ model, out, at }) {
      link(at('lora/adapter_config.json'), join(outside, 'lora/adapter_config.json'));
      return heal({ model, out, adapter: { init: at('lora') } });
    },
  },
  {
    what: 'heal: espalier.json names ../ as the original model',
    attack: ({ model, out, at }) =>
      healingOf(model, out, '..', () => cpSync(stories, at('config'), { recursive: true })),
    becomes: 'usage',
  },
  {
    what: 'heal: the original model beside it is a link out',
    attack: ({ model, out, at }) => healingOf(model, out, 'dense', () => link(at('dense'), join(outside, 'model'))),
    becomes: 'usage',
  },
  {
    what: 'evaluate: a file of the data is a link out',
    attack(place) {
      link(place.at('data/piqa/validation.jsonl'), join(outside, 'piqa/validation.jsonl'));
      return evaluate(place);
    },
  },
  {
    what: 'evaluate: a folder of the data is a link out',
    attack(place) {
      link(place.at('data/piqa'), join(outside, 'piqa'));
      return evaluate(place);
    },
    becomes: 'notFound',
  },
  healRow('run/ is a link out', (out) => link(join(out, 'run'), join(outside, 'lora/run'))),
  healRow('run/recipe.json is a link out', (out) =>
    link(join(out, 'run/recipe.json'), join(outside, 'lora/run/recipe.json')),
  ),
  healRow('run/state.json is a link out', (out) =>
    link(join(out, 'run/state.json'), join(outside, 'lora/run/state.json')),
  ),
  healRow('the tensors of its state are a link out', (out) =>
    link(join(out, 'run/state-2.safetensors'), join(outside, 'lora/run/state-2.safetensors')),
  ),
  healRow('run/metrics.jsonl is a link out', (out) =>
    link(join(out, 'run/metrics.jsonl'), join(outside, 'lora/run/metrics.jsonl')),
  ),
  healRow('its adapter is a link out', (out) =>
    link(join(out, 'adapter_model.safetensors'), join(outside, 'lora/adapter_model.safetensors')),
  ),
  studyRow('steps/ is a link out', (out) => link(join(out, 'steps'), join(outside, 'study/steps'))),
  studyRow('a step is a link out', (out) =>
    link(join(out, 'steps/losses.json'), join(outside, 'study/steps/losses.json')),
  ),
  studyRow('models/ is a link out', (out) => link(join(out, 'models'), join(outside, 'study'))),
  studyRow('study.json is a link out', (out) => link(join(out, 'study.json'), join(outside, 'study/study.json'))),
];

/** Distils from the original model, which has to be found by its name in espalier.json. */
async function healingOf(model: string, out: string, name: string, plant: () => void): Promise<Recipe> {
  const pruned = join(dirname(model), 'pruned');
  await carryOut(prune({ model, out: pruned }));
  const file = join(pruned, 'espalier.json');
  const provenance = JSON.parse(readFileSync(file, 'utf8'));
  provenance.baseModel.name = name;
  writeFileSync(file, JSON.stringify(provenance));
  plant();
  return heal({ model: pruned, out, objective: { kind: 'distillation' } });
}

describe(`${rows.length} ways out by what lies in a folder`, () => {
  it.each(rows)('$what', async ({ attack, becomes = 'outsideRoots' }) => {
    const here = place();
    const recipe = await attack(here);
    const before = stateOf(outside);
    expect(await refusal(carryOut(recipe))).toBe(becomes);
    expect(stateOf(outside)).toEqual(before);
    expect([...leaksIn(here.out), ...leaksIn(here.at('samples'))]).toEqual([]);
  });
});

describe('what is removed', () => {
  it('is removed with the links in it, which are not followed', async () => {
    const { at } = place();
    const before = stateOf(outside);
    link(at('old/deep/link'), outside);
    link(at('other'), outside);
    for (const name of ['old', 'other', 'nothing']) await removeTree(at(name));
    expect([existsSync(at('old')), existsSync(at('other'))]).toEqual([false, false]);
    expect(stateOf(outside)).toEqual(before);
  });

  it('is the link, where somebody has put one under a name that the dead leave', async () => {
    const here = place();
    const before = stateOf(outside);
    for (const name of ['.out.partial-1', '.out.partial-999999', `.out.partial-999999-${'0'.repeat(24)}`])
      link(here.at(name), outside);
    await carryOut(prune(here));
    expect(stateOf(outside)).toEqual(before);
    expect(existsSync(join(here.out, 'config.json'))).toBe(true);
  });
});

describe('a temporary name', () => {
  const planted = (name: string) => [`.${name}.partial-${process.pid}`, `${name}.partial`, `.${name}.partial`];
  it.each([
    { what: 'of a report', write: (path: string) => writeStagedFile(path, 'text') },
    { what: 'of a file of a run', write: async (path: string) => replaceText(path, 'text') },
  ])('$what is none that somebody could have put a link under', async ({ write }) => {
    const { at, folder } = place();
    const before = stateOf(outside);
    for (const name of planted('report.json')) link(at(name), join(outside, 'secret.txt'));
    await write(at('report.json'));
    expect(stateOf(outside)).toEqual(before);
    expect(readFileSync(at('report.json'), 'utf8')).toBe('text');
    expect(
      readdirSync(folder).filter((name) => name.includes('report.json') && !planted('report.json').includes(name)),
    ).toEqual(['report.json']);
  });

  it('of a dead process goes with the next writing, one of a living process stays', async () => {
    const { at, folder } = place();
    const stage = (pid: number) => `.report.json.partial-${pid}`;
    for (const pid of [999_999_999, process.ppid]) writeFileSync(at(stage(pid)), '');
    for (const write of [
      () => writeStagedFile(at('report.json'), 'a'),
      async () => replaceText(at('report.json'), 'b'),
    ]) {
      await write();
      expect(readdirSync(folder).filter((name) => name.includes('report'))).toEqual([
        stage(process.ppid),
        'report.json',
      ]);
      writeFileSync(at(stage(999_999_999)), '');
    }
  });
});

describe('a folder that becomes a link while it is written to', () => {
  it('leads nothing elsewhere', async () => {
    const { model, at } = place();
    const before = stateOf(outside);
    mkdirSync(at('parent'));
    const emit = ({ kind }: { kind: string }) => {
      if (kind !== 'progress' || existsSync(at('moved'))) return;
      renameSync(at('parent'), at('moved'));
      symlinkSync(outside, at('parent'));
    };
    const work = runRecipe(prune({ model, out: at('parent/out') }), { signal: new AbortController().signal, emit });
    expect(await refusal(work)).toBe('cannotWrite');
    expect(stateOf(outside)).toEqual(before);
    expect(readdirSync(at('moved'))).toEqual([]);
  });
});

describe('a client of the server', () => {
  /** Runs that wait behind another; what they name leads out by the time that they begin. */
  const waiting: { what: string; recipe: (place: Place) => Recipe; swap: (place: Place) => void }[] = [
    { what: 'its model', recipe: prune, swap: ({ model }) => link(model, join(outside, 'model')) },
    {
      what: 'a folder above its model',
      recipe: ({ at, out }) => {
        cpSync(stories, at('above/model'), { recursive: true });
        return prune({ model: at('above/model'), out });
      },
      swap: ({ at }) => link(at('above'), outside),
    },
    {
      what: 'a file of its model',
      recipe: prune,
      swap: ({ model }) => link(join(model, 'tokenizer.json'), join(outside, 'model/tokenizer.json')),
    },
    {
      what: 'a folder above its output',
      recipe: ({ model, at }) => {
        mkdirSync(at('above'));
        return prune({ model, out: at('above/out') });
      },
      swap: ({ at }) => link(at('above'), outside),
    },
    {
      what: 'its text',
      recipe: ({ model, at }) => {
        cpSync(text, at('own.txt'));
        return recipeSchema.parse({
          kind: 'perplexity',
          models: [model],
          source: { ...source, files: [at('own.txt')] },
        });
      },
      swap: ({ at }) => link(at('own.txt'), join(outside, 'secret.txt')),
    },
    {
      what: 'the folder of its data',
      recipe: (here) => {
        cpSync(join(outside, 'piqa'), here.at('data/piqa'), { recursive: true });
        return evaluate(here);
      },
      swap: ({ at }) => link(at('data'), outside),
    },
    {
      what: 'its dense model',
      recipe: ({ model, out, at }) => {
        cpSync(stories, at('dense'), { recursive: true });
        return heal({ model, out, dense: at('dense') });
      },
      swap: ({ at }) => link(at('dense'), join(outside, 'model')),
    },
    {
      what: 'the healing that it resumes',
      recipe: ({ model, out }) => {
        cpSync(join(outside, 'lora'), out, { recursive: true });
        return heal({ model, out, resume: true });
      },
      swap: ({ out }) => link(out, join(outside, 'lora')),
    },
  ];

  it(`leads no run out that waits: ${waiting.map(({ what }) => what).join(', ')}`, async () => {
    const server = await startServer(join(root, 'data'));
    const places = waiting.map(place);
    const client = await connect(server.lock, [texts, ...places.map(({ folder }) => folder)]);
    const first = randomUUID();
    const { model, out } = place();
    const busy = heal({ model, out, loop: { steps: 100_000, saveEverySteps: 10 } });
    const own = await connect(server.lock, [root]);
    await own.request('runs/start', { runId: first, recipe: busy });
    await reaches(own, first, ['running']);
    const runs = waiting.map(({ recipe }, i) => ({ runId: randomUUID(), recipe: recipe(places[i]!) }));
    for (const run of runs) await client.request('runs/start', run);
    const before = stateOf(outside);
    for (const [i, { swap }] of waiting.entries()) swap(places[i]!);
    await own.request('runs/cancel', { runId: first });
    for (const [i, { runId }] of runs.entries()) {
      const run = await reaches(client, runId, ['failed', 'done']);
      expect(run, `${waiting[i]!.what}: ${JSON.stringify(run)}`).toMatchObject({
        state: 'failed',
        code: 'outsideRoots',
      });
      expect(JSON.stringify(client.events(runId))).not.toContain(secret);
    }
    expect(stateOf(outside)).toEqual(before);
    expect(places.flatMap(({ out, at }) => [...leaksIn(out), ...leaksIn(at('samples'))])).toEqual([]);
    for (const each of [client, own]) await each.close();
    await stopServer(server);
  });

  it('inspects and plans nothing that leads out', async () => {
    const server = await startServer(join(root, 'data-of-plans'));
    const here = place();
    link(join(here.model, 'additional_chat_templates'), join(outside, 'templates'));
    const linked = here.at(basename(outside));
    link(linked, outside);
    const client = await connect(server.lock, [here.folder]);
    for (const folder of [here.model, join(linked, 'model')])
      expect(await errorOf(client.request('models/inspect', { folder }))).toMatchObject({ reason: 'outsideRoots' });
    for (const model of [here.model, join(linked, 'model')])
      expect(await errorOf(client.request('plan/make', { recipe: prune({ model, out: here.out }) }))).toMatchObject({
        reason: 'outsideRoots',
      });
    await client.close();
    await stopServer(server);
  });
});
