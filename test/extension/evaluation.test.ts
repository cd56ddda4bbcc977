// What the panel of an evaluation makes of its form, of the models that are here, and of the events of its run.
import { describe, expect, it } from 'vitest';
import { baseFirst, candidatesFor, evaluatedWith, originalOf } from '../../extension/lineage';
import { openEvaluationForm } from '../../extension/panels/evaluate/form';
import { type EvaluationPlace, type PlaceEvent, reducePlace } from '../../extension/panels/evaluate/place';
import { defaultEvaluation, evaluateRecipe } from '../../extension/panels/evaluate/recipe';
import { evaluationReducer, followOnly } from '../../extension/panels/evaluate/run';
import type { EvaluateRecipe, EvaluateReport } from '../../server/recipes/evaluate/recipe';
import { type Recipe, recipeSchema } from '../../server/recipes/kinds';
import { foundModel, runSummary } from './rows';

const compute = {
  device: 'cpu' as const,
  memory: 'auto' as const,
  weights: 'f32' as const,
  threads: null,
  memoryLimitBytes: null,
};
const places = { models: ['/w/tiny', '/w/tiny-pruned'], data: '/benchmarks' };

describe('the recipe of a form', () => {
  it.each([
    { items: 100, is: { first: 0, end: 100 } },
    { items: null, is: null },
  ])('of $items questions is what a recipe file would be', ({ items, is }) => {
    const recipe = evaluateRecipe({ ...defaultEvaluation, items, fewShot: 5, generate: true }, places, compute);
    const asFile = recipeSchema.parse({
      kind: 'evaluate',
      models: places.models,
      tasks: defaultEvaluation.tasks,
      data: places.data,
      items: is,
      fewShot: 5,
      generate: true,
      compute,
    });
    expect(recipe).toEqual(asFile);
  });
});

describe('a form', () => {
  /** A server that answers when the test says so. */
  function formWith(data: string | null) {
    const stored = new Map<string, unknown>();
    const open: { recipe: EvaluateRecipe; answer(bytes: number): void; refuse(message: string): void }[] = [];
    let folder = data;
    const memory = {
      get: (key: string) => stored.get(key),
      update: async (key: string, to: unknown) => stored.set(key, to),
    };
    const request = (_: string, { recipe }: { recipe: EvaluateRecipe }) =>
      new Promise((answer, refuse) =>
        open.push({
          recipe,
          answer: (totalBytes) => answer({ totalBytes }),
          refuse: (message) => refuse(new Error(message)),
        }),
      );
    const settings = { benchmarkData: () => folder, compute: () => compute };
    const missing = (tasks: readonly string[], examples: boolean) => tasks.slice(0, examples ? 2 : 1);
    const make = () => openEvaluationForm(memory as never, settings, { request } as never, () => {}, missing);
    return {
      form: make(),
      make,
      open,
      choose(to: string) {
        folder = to;
      },
    };
  }

  it('reads the cache until a folder is chosen, and says what that lacks', async () => {
    const { form, choose } = formWith(null);
    expect(form.state).toMatchObject({ dataFolder: null, missingData: ['hellaswag'] });
    expect(form.recipe(defaultEvaluation, places.models).data).toBe(null);
    await form.take({ ...defaultEvaluation, fewShot: 5 });
    expect(form.state.missingData).toEqual(['hellaswag', 'arc_easy']);
    choose('/benchmarks');
    expect(form.state).toMatchObject({ dataFolder: '/benchmarks', missingData: [] });
    expect(form.recipe(defaultEvaluation, places.models).data).toBe('/benchmarks');
  });

  it('keeps the newest answer alone', async () => {
    const { form, open } = formWith('/benchmarks');
    const [first, second] = [form.plan(places.models), form.plan([places.models[0]!])];
    expect(open.map(({ recipe }) => recipe.models)).toEqual([places.models, [places.models[0]]]);
    open[1]!.answer(2);
    open[0]!.answer(1);
    await Promise.all([first, second]);
    expect(form.state).toMatchObject({ dataFolder: '/benchmarks', plan: { totalBytes: 2 }, refusal: null });
  });

  it('says why there is no plan, until something else is chosen, which it remembers', async () => {
    const { form, open, make } = formWith('/benchmarks');
    const planning = form.plan(places.models);
    open[0]!.refuse('There is no room.');
    await planning;
    expect(form.state).toMatchObject({ plan: null, refusal: 'There is no room.' });
    await form.take({ ...defaultEvaluation, items: 7 });
    expect(form.state).toMatchObject({ refusal: null, settings: { items: 7 } });
    expect(make().state.settings.items).toBe(7);
  });

  it('asks nothing while no task is chosen', async () => {
    const { form, open } = formWith('/benchmarks');
    await form.take({ ...defaultEvaluation, tasks: [] });
    await form.plan(places.models);
    expect(open).toEqual([]);
  });
});

describe('models that belong together', () => {
  const models = [
    foundModel('/w/tiny'),
    foundModel('/w/tiny-pruned', {}, { parentFolder: '/w/tiny' }),
    foundModel('/w/tiny-pruned-healed', {}, { parentFolder: '/w/tiny-pruned' }),
    foundModel('/w/other'),
    foundModel('/w/strange', { vocabularySize: 512 }),
    // Files may claim a circle.
    foundModel('/w/a', { vocabularySize: 512 }, { parentFolder: '/w/b' }),
    foundModel('/w/b', { vocabularySize: 512 }, { parentFolder: '/w/a' }),
  ];

  it.each([
    {
      given: ['/w/tiny-pruned-healed', '/w/tiny', '/w/tiny-pruned'],
      is: ['/w/tiny', '/w/tiny-pruned', '/w/tiny-pruned-healed'],
    },
    { given: ['/w/tiny', '/w/tiny', '/w/other'], is: ['/w/tiny', '/w/other'] },
    { given: ['/elsewhere/new', '/w/tiny'], is: ['/elsewhere/new', '/w/tiny'] },
  ])('stand with their original first: $given', ({ given, is }) => {
    expect(baseFirst(given, models)).toEqual(is);
  });

  it.each([
    { folder: '/w/tiny', is: ['/w/tiny'] },
    { folder: '/w/tiny-pruned-healed', is: ['/w/tiny', '/w/tiny-pruned-healed'] },
    { folder: '/w/a', is: ['/w/b', '/w/a'] },
    { folder: '/elsewhere/new', is: ['/elsewhere/new'] },
  ])('$folder is evaluated as $is', ({ folder, is }) => {
    expect(evaluatedWith(folder, models)).toEqual(is);
  });

  it.each([
    { folder: '/w/tiny', is: null },
    { folder: '/w/tiny-pruned-healed', is: '/w/tiny' },
    { folder: '/elsewhere/new', is: null },
  ])('$folder was made from $is in the beginning', ({ folder, is }) => {
    expect(originalOf(folder, models)).toBe(is);
  });

  it('are offered beside an original: its own variants first, then what reads the same tokens', () => {
    const offered = (folders: string[]) => candidatesFor(folders, models).map(({ summary }) => summary.folder);
    expect(offered(['/w/tiny'])).toEqual(['/w/tiny-pruned', '/w/tiny-pruned-healed', '/w/other']);
    expect(offered(['/w/tiny', '/w/tiny-pruned'])).toEqual(['/w/tiny-pruned-healed', '/w/other']);
    expect(offered(['/w/strange'])).toEqual(['/w/a', '/w/b']);
  });
});

describe('what the panel shows', () => {
  const form: EvaluationPlace = { folders: ['/w/tiny', '/w/a'], runId: null, beside: [] };
  const run: EvaluationPlace = { folders: ['/w/tiny', '/w/a'], runId: 'r', beside: ['s'] };

  it.each<{ name: string; from: EvaluationPlace; event: PlaceEvent; to: EvaluationPlace }>([
    {
      name: 'a form takes more models',
      from: form,
      event: { kind: 'modelsAdded', folders: ['/w/b'] },
      to: { ...form, folders: ['/w/tiny', '/w/a', '/w/b'] },
    },
    {
      name: 'a run and another model become a form',
      from: run,
      event: { kind: 'modelsAdded', folders: ['/w/b'] },
      to: { folders: ['/w/tiny', '/w/a', '/w/b'], runId: null, beside: [] },
    },
    {
      name: 'a run takes others beside it',
      from: run,
      event: { kind: 'runsAdded', runIds: ['t'] },
      to: { ...run, beside: ['s', 't'] },
    },
    {
      name: 'a model leaves a form',
      from: form,
      event: { kind: 'modelRemoved', folder: '/w/a' },
      to: { ...form, folders: ['/w/tiny'] },
    },
    {
      name: 'the last model stays',
      from: { ...form, folders: ['/w/tiny'] },
      event: { kind: 'modelRemoved', folder: '/w/tiny' },
      to: { ...form, folders: ['/w/tiny'] },
    },
    {
      name: 'a run beside is taken away',
      from: run,
      event: { kind: 'runRemoved', runId: 's' },
      to: { ...run, beside: [] },
    },
    {
      name: 'a run is started, alone',
      from: run,
      event: { kind: 'started', runId: 'new', models: ['/w/tiny'] },
      to: { folders: ['/w/tiny'], runId: 'new', beside: [] },
    },
    {
      name: 'all models that were shown go back into a form, each once',
      from: run,
      event: { kind: 'formAsked', beside: ['/w/tiny', '/w/c'] },
      to: { folders: ['/w/tiny', '/w/a', '/w/c'], runId: null, beside: [] },
    },
  ])('$name', ({ from, event, to }) => {
    expect(reducePlace(from, event)).toEqual(to);
  });
});

describe('an evaluation that is followed', () => {
  const scored = (n: number) => ({
    models: [],
    tasks: [],
    groups: [],
    scores: [],
    comparisons: [],
    warnings: [`${n}`],
  });
  const report = { kind: 'evaluate', ...scored(9) } as unknown as EvaluateReport;
  const recipe = evaluateRecipe(defaultEvaluation, places, compute);
  const run = runSummary({ state: 'running', step: 'hellaswag', fraction: 0 }, { kind: 'evaluate' });
  const first = evaluationReducer.fetched({ run, recipe, plan: null, warnings: [], report: null }, null);

  it('shows its newest scores, and its report at the end instead', () => {
    expect(first).toEqual({ run, recipe, plan: null, scored: null, report: null });
    const [some, more] = [1, 2].map((n) => evaluationReducer.applied!(first, { kind: 'scored', report: scored(n) }));
    expect([some!.scored?.warnings, more!.scored?.warnings]).toEqual([['1'], ['2']]);
    expect(evaluationReducer.fetched({ run, recipe, plan: null, warnings: [], report: null }, more!)).toEqual(more);
    const done = evaluationReducer.fetched({ run, recipe, plan: null, warnings: [], report }, more!);
    expect(done).toMatchObject({ scored: null, report: { warnings: ['9'] } });
    // Replayed after a reconnect, scores change nothing of the report.
    expect(evaluationReducer.applied!(done, { kind: 'scored', report: scored(2) })).toBe(done);
  });

  it('is refused where the run is something else', () => {
    const other: Recipe = { kind: 'inspect', model: '/w/tiny' };
    expect(() =>
      evaluationReducer.fetched({ run, recipe: other, plan: null, warnings: [], report: null }, null),
    ).toThrow('This run evaluates nothing');
  });

  it('stands beside others that are followed once each, and let go when they are shown no more', async () => {
    const asked: string[] = [];
    const ended: string[] = [];
    const follow = async (runId: string) => {
      asked.push(runId);
      if (runId === 'gone') throw new Error('There is no such run.');
      const state = { ...first, run: { ...run, runId } };
      return { state, update() {}, dispose: () => void ended.push(runId) };
    };
    const before = await followOnly(['a', 'gone', 'b'], [], follow);
    const after = await followOnly(['b', 'c'], before, follow);
    expect(after.map(({ state }) => state.run.runId)).toEqual(['b', 'c']);
    expect({ asked, ended }).toEqual({ asked: ['a', 'gone', 'b', 'c'], ended: ['a'] });
  });
});
