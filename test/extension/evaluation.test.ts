// What the panel of an evaluation makes of its form, of the models that are here, and of the events of its run.
import { describe, expect, it } from 'vitest';
import type { Connection } from '../../extension/connection';
import {
  baseFirst,
  candidatesFor,
  evaluatedWith,
  evaluateRecipe,
  usualEvaluation,
} from '../../extension/panels/evaluateRecipe';
import { openForm } from '../../extension/panels/evaluationForm';
import { followEvaluation } from '../../extension/panels/evaluationRun';
import type { EvaluateRecipe } from '../../server/recipes/evaluate/recipe';
import type { Recipe } from '../../server/recipes/kinds';
import type { EvaluateReport, Report } from '../../server/protocol/reports';
import type { RunEvent, RunSummary } from '../../server/protocol/server';
import { recipeSchema } from '../../server/recipes/kinds';
import { foundModel, runSummary } from './rows';

const compute = { device: 'cpu' as const, memory: 'auto' as const, threads: null, memoryLimitBytes: null };
const places = { models: ['/w/tiny', '/w/tiny-pruned'], data: '/benchmarks' };

describe('the recipe of a form', () => {
  it.each([
    { items: 100, is: { first: 0, end: 100 } },
    { items: null, is: null },
  ])('of $items questions is what a recipe file would be', ({ items, is }) => {
    const recipe = evaluateRecipe({ ...usualEvaluation, items, fewShot: 5, generate: true }, places, compute);
    const asFile = recipeSchema.parse({
      kind: 'evaluate',
      models: places.models,
      tasks: usualEvaluation.tasks,
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
  /** A server that answers when it is told to. */
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
    const make = () => openForm(memory as never, settings, { request } as never, () => {});
    return {
      form: make(),
      make,
      open,
      choose(to: string) {
        folder = to;
      },
    };
  }

  it('plans once there is data, and keeps the newest answer alone', async () => {
    const { form, open, choose } = formWith(null);
    await form.plan(places.models);
    expect(form.state).toMatchObject({ dataFolder: null, plan: null });
    expect(() => form.recipe(usualEvaluation, places.models)).toThrow('choose it first');
    choose('/benchmarks');
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
    await form.take({ ...usualEvaluation, items: 7 });
    expect(form.state).toMatchObject({ refusal: null, settings: { items: 7 } });
    expect(make().state.settings.items).toBe(7);
  });

  it('asks nothing while no task is chosen', async () => {
    const { form, open } = formWith('/benchmarks');
    await form.take({ ...usualEvaluation, tasks: [] });
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
  ])('stand with their base first: $given', ({ given, is }) => {
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

  it('are offered beside a base: its own variants first, then what reads the same tokens', () => {
    const offered = (folders: string[]) => candidatesFor(folders, models).map(({ summary }) => summary.folder);
    expect(offered(['/w/tiny'])).toEqual(['/w/tiny-pruned', '/w/tiny-pruned-healed', '/w/other']);
    expect(offered(['/w/tiny', '/w/tiny-pruned'])).toEqual(['/w/tiny-pruned-healed', '/w/other']);
    expect(offered(['/w/strange'])).toEqual(['/w/a', '/w/b']);
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

  /** A server whose run is told of by hand. */
  function served(recipe: Recipe = evaluateRecipe(usualEvaluation, places, compute)) {
    let tell: (events: RunEvent[]) => void = () => {};
    let now: { run: RunSummary; report: Report | null } = {
      run: runSummary({ state: 'running', step: 'hellaswag', fraction: 0 }, { kind: 'evaluate', lastSeq: 0 }),
      report: null,
    };
    let changes = 0;
    const connection = {
      request: async () => ({ ...now, recipe, plan: null }),
      follow(_: string, listener: (events: RunEvent[]) => void) {
        tell = listener;
        return {
          dispose() {
            tell = () => {};
          },
        };
      },
    } as unknown as Pick<Connection, 'request' | 'follow'>;
    return {
      connection,
      changed: () => void changes++,
      nChanges: () => changes,
      become(next: typeof now) {
        now = next;
      },
      tell: (events: RunEvent[]) => tell(events),
    };
  }
  const event = (seq: number, told: RunEvent['event']): RunEvent => ({ seq, atEpochMs: 0, event: told });

  it('grows with its scores, and has its report at the end instead', async () => {
    const server = served();
    const followed = await followEvaluation('1', server.connection, server.changed);
    expect(followed.state).toMatchObject({ scored: null, report: null });
    server.tell([
      event(1, { kind: 'progress', step: 'hellaswag', fraction: 0.25 }),
      event(2, { kind: 'scored', report: scored(1) }),
      event(3, { kind: 'scored', report: scored(2) }),
    ]);
    expect(followed.state).toMatchObject({ scored: { warnings: ['2'] }, run: { fraction: 0.25, lastSeq: 3 } });
    server.become({ run: runSummary({ state: 'done' }, { kind: 'evaluate', lastSeq: 5 }), report });
    server.tell([event(4, { kind: 'reported' }), event(5, { kind: 'state', state: { state: 'done' } })]);
    await expect.poll(() => followed.state.report).toEqual(report);
    expect(followed.state).toMatchObject({ scored: null, run: { state: 'done' } });
    // Replayed after a reconnect, they change nothing of the report.
    server.tell([event(3, { kind: 'scored', report: scored(2) })]);
    expect(followed.state).toMatchObject({ scored: null, report: { warnings: ['9'] } });
    const before = server.nChanges();
    followed.dispose();
    server.tell([event(6, { kind: 'progress', step: 'x', fraction: 1 })]);
    expect(server.nChanges()).toBe(before);
  });

  it('hears how far it is from the list of runs, and never less than it knows', async () => {
    const server = served();
    const followed = await followEvaluation('1', server.connection, server.changed);
    const at = (fraction: number, lastSeq: number) =>
      runSummary({ state: 'running', step: 'piqa', fraction }, { kind: 'evaluate', lastSeq });
    followed.heardOf([at(0.5, 7), { ...at(0.9, 9), runId: 'other' }]);
    followed.heardOf([at(0.4, 6)]);
    expect(followed.state.run).toMatchObject({ fraction: 0.5, lastSeq: 7 });
  });

  it('is refused where the run is something else', async () => {
    const server = served({ kind: 'inspect', model: '/w/tiny' });
    await expect(followEvaluation('1', server.connection, server.changed)).rejects.toThrow(
      'This run evaluates nothing',
    );
  });
});
