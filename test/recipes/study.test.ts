// A study shares what can be shared, goes on where it was ended, and comes to the same findings.
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { isUserError } from '../../server/errors';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import type { StudyRecipe } from '../../server/recipes/study/recipe';
import { parseRecipe } from '../../server/recipes/recipeFile';
import { long } from '../fixtures';
import { carryOut, findings, namesIn, openStudies } from './studies';

const { root, text, studyOf } = openStudies();
const json = (out: string, name: string) => JSON.parse(readFileSync(join(out, name), 'utf8'));

/** Each part of the grid. blockInfluence and its published form choose alike here. */
const allCalls = [
  'analyze',
  'analyze',
  'evaluate',
  'prune 1-blockInfluence-linear',
  'prune 1-greedy',
  'heal 1-greedy-healed',
  'merge 1-greedy-healed',
  'prune 1-greedy-linear',
  'heal 1-greedy-linear-healed',
  'merge 1-greedy-linear-healed',
  'prune 2-blockInfluence-linear',
  'prune 2-greedy-linear',
  'perplexity',
  'evaluate',
];

describe('a study', () => {
  const recipe = studyOf({ out: join(root, 'whole') });
  let first: Awaited<ReturnType<typeof carryOut>>;
  beforeAll(async () => {
    first = await carryOut(recipe);
  });

  it('measures every variant beside the original, and methods that choose alike once', () => {
    const { report, calls, events } = first;
    expect(calls).toEqual(allCalls);
    expect(report.variants.map(({ id, methods }) => [id, methods])).toEqual([
      ['base', []],
      ['1-blockInfluence', ['blockInfluence', 'blockInfluenceAsPublished']],
      ['1-blockInfluence-linear', ['blockInfluence', 'blockInfluenceAsPublished']],
      ['1-greedy', ['greedy']],
      ['1-greedy-healed', ['greedy']],
      ['1-greedy-linear', ['greedy']],
      ['1-greedy-linear-healed', ['greedy']],
      ['2-blockInfluence', ['blockInfluence', 'blockInfluenceAsPublished']],
      ['2-blockInfluence-linear', ['blockInfluence', 'blockInfluenceAsPublished']],
      ['2-greedy', ['greedy']],
      ['2-greedy-linear', ['greedy']],
    ]);
    expect(report.steps.some(({ doneBefore }) => doneBefore)).toBe(false);
    const variant = (id: string) => report.variants.find((it) => it.id === id)!;
    // Both ways of measuring agree on what is left out of the same text.
    expect(variant('1-greedy').loss!.costNats).toBeCloseTo(
      variant('1-greedy').loss!.lossNats - variant('base').loss!.lossNats,
      6,
    );
    expect(variant('1-greedy-healed').loss!.lossNats).toBeLessThan(variant('1-greedy').loss!.lossNats);
    for (const { model, label, nParameters, count } of report.variants) {
      expect(report.evaluation!.models[model!]!.label).toBe(label);
      expect(nParameters).toBe(report.model.nParameters - count * report.model.nParametersPerBlock);
    }
    expect(new Set(report.evaluation!.comparisons.map((it) => it.variant)).size).toBe(10);
    expect(report.evaluation!.warnings).toEqual([]);
    expect(json(recipe.out, 'report.json')).toEqual(JSON.parse(JSON.stringify(report)));
    expect(parseRecipe(readFileSync(join(recipe.out, 'recipe.yaml'), 'utf8'), 'recipe.yaml')).toEqual(recipe);
    expect(namesIn(recipe.out)).toEqual([
      ...['adapters', 'charts', 'models', 'recipe.yaml', 'report.html', 'report.json', 'report.md', 'results.json'],
      ...['steps', 'study.json'],
    ]);
    expect(namesIn(join(recipe.out, 'charts'))).toContain('loss-by-count.svg');
    expect(namesIn(join(recipe.out, 'models'))).toEqual([]);
    expect(namesIn(join(recipe.out, 'adapters'))).toEqual(['1-greedy-healed', '1-greedy-linear-healed']);

    const plans = events.flatMap((it) => (it.kind === 'study' ? [it.plan] : []));
    expect(plans.map(({ nVariants, steps }) => [nVariants, steps.filter(({ done }) => done).length])).toEqual([
      [14, 0],
      [10, 1],
    ]);
    const fractions = events.flatMap((it) => (it.kind === 'progress' ? [it.fraction] : []));
    const after = fractions.slice(fractions.indexOf(Math.min(...fractions.slice(5))));
    expect(Math.max(...fractions)).toBeLessThanOrEqual(1);
    expect(after.length).toBeGreaterThan(20);
  });

  it('that is done is told again without doing anything', async () => {
    rmSync(join(recipe.out, 'report.html'));
    writeFileSync(join(recipe.out, 'charts/of-before.svg'), '');
    const second = await carryOut({ ...recipe, compute: { ...recipe.compute, threads: 1 } });
    expect(namesIn(recipe.out)).toContain('report.html');
    expect(namesIn(join(recipe.out, 'charts'))).not.toContain('of-before.svg');
    expect(second.calls).toEqual([]);
    expect(second.report.steps.every(({ doneBefore }) => doneBefore)).toBe(true);
    expect(second.report.steps.map(({ elapsedMs }) => elapsedMs)).toEqual(
      first.report.steps.map(({ elapsedMs }) => elapsedMs),
    );
    expect(findings({ ...second.report, recipe })).toEqual(findings(first.report));
  });

  it.each<[StudyRecipe['keepModels'], string[]]>([
    ['none', []],
    ['healed', ['1-greedy-healed', '1-greedy-linear-healed']],
    ['all', ['1-greedy', '1-greedy-healed', '1-greedy-linear', '1-greedy-linear-healed']],
  ])('that keeps %s keeps these models', async (keepModels, names) => {
    // A batch of one family at a time keeps as much as a batch of all.
    const out = join(root, `keep-${keepModels}`);
    const recipe = studyOf({ methods: ['greedy'], counts: [1], out, keepModels, batchBytes: 1 });
    const { report, calls } = await carryOut(recipe);
    expect(namesIn(join(recipe.out, 'models'))).toEqual(names);
    expect(calls.filter((name) => name === 'evaluate')).toHaveLength(1 + 2);
    expect(report.variants.filter(({ id, folder }) => id !== 'base' && folder).map(({ id }) => id)).toEqual(
      names.filter((name) => name !== '1-greedy'), // what is left out is measured on the original
    );
  });
});

describe('a study that is ended', () => {
  const shorter = (name: string) => studyOf({ methods: ['greedy'], repairs: ['none'], out: join(root, name) });
  const calls = [
    ...['analyze', 'analyze', 'evaluate', 'prune 1-greedy', 'heal 1-greedy-healed', 'merge 1-greedy-healed'],
    ...['perplexity', 'evaluate'],
  ];

  const whole = shorter('ended');
  let expected: unknown;
  beforeAll(async () => {
    expected = findings((await carryOut(whole)).report);
  });
  afterEach(() => void vi.unstubAllEnvs());
  beforeEach(() => rmSync(whole.out, { recursive: true, force: true }));

  /** Ends it when `nDone` of what it does now are done, in the middle of the next or before it; says what it has done. */
  async function endedAfter(nDone: number, where: 'inTheNext' | 'betweenSteps'): Promise<string[]> {
    const ending = new AbortController();
    const made: string[] = [];
    const end = (n: number) => n === nDone && ending.abort();
    const ended = await carryOut(whole, {
      signal: ending.signal,
      before: (n) => where === 'inTheNext' && end(n),
      after(n, name) {
        made.push(name);
        if (where === 'betweenSteps') end(n);
      },
    }).catch((error: unknown) => error);
    const says = `Cancelled; the study in ${whole.out} goes on after its last finished step when it is run again.`;
    expect(isUserError(ended) && ended.message).toBe(says);
    return made;
  }

  // One study that is ended at every step and goes on each time; the long tests end one anew for each step.
  it('after every step goes on behind it to the same findings', async () => {
    for (const name of calls.slice(0, -1)) expect(await endedAfter(1, 'betweenSteps')).toEqual([name]);
    const { report, calls: made } = await carryOut(whole);
    expect(made).toEqual(calls.slice(-1));
    expect(findings(report)).toEqual(expected);
    expect(report.steps.filter(({ doneBefore }) => doneBefore)).toHaveLength(calls.length - 1);
  });

  it('in the middle of every step does that step again, and none before', async () => {
    let nDone = 0;
    // The evaluation that is not real does not look at the signal.
    for (const [n, name] of calls.entries()) {
      if (name === 'evaluate') continue;
      expect(await endedAfter(n - nDone, 'inTheNext'), `in step ${n}`).toEqual(calls.slice(nDone, n));
      nDone = n;
    }
    const { report, calls: made } = await carryOut(whole);
    expect(made).toEqual(calls.slice(nDone));
    expect(findings(report)).toEqual(expected);
  });

  if (long)
    it.each(calls.slice(1).map((_, n) => n + 1))('after %d steps goes on behind them', async (n) => {
      expect(await endedAfter(n, 'betweenSteps')).toEqual(calls.slice(0, n));
      const { report, calls: made } = await carryOut(whole);
      expect(made).toEqual(calls.slice(n));
      expect(findings(report)).toEqual(expected);
    });

  it('writes models again that somebody removed before they were measured', async () => {
    const recipe = shorter('removed');
    const ending = new AbortController();
    const after = (nDone: number) => nDone === 6 && ending.abort(); // pruned, healed, merged, not measured
    await expect(carryOut(recipe, { signal: ending.signal, after })).rejects.toThrow('Cancelled');
    rmSync(join(recipe.out, 'models'), { recursive: true });
    const { calls: made } = await carryOut(recipe);
    expect(made).toEqual(['prune 1-greedy', 'merge 1-greedy-healed', 'perplexity', 'evaluate']);
    // What was kept of a step got lost after the end: what it needs is made again, and measured no more.
    rmSync(join(recipe.out, 'steps/merge-1-greedy-healed.json'));
    expect((await carryOut(recipe)).calls).toEqual(['prune 1-greedy', 'merge 1-greedy-healed']);
    expect(namesIn(join(recipe.out, 'models'))).toEqual([]);
  });
});

describe('refused', () => {
  const healing = (change: object) => ({ ...studyOf().healing!, ...change });
  const data: HealRecipe['data'] = { ...studyOf().healing!.data, files: ['/nowhere/t.txt'] };
  it.each<[string, () => Partial<StudyRecipe>, string]>([
    [
      'a method that is none',
      () => ({ methods: ['gredy'] }),
      'usage: There is no method gredy; the nearest is greedy.',
    ],
    ['no methods', () => ({ methods: [] }), 'usage: A study without methods has nothing to do; name at least one.'],
    ['no counts', () => ({ counts: [] }), 'usage: A study without counts has nothing to do; name at least one.'],
    ['no repairs', () => ({ repairs: [] }), 'usage: A study without repairs has nothing to do; name at least one.'],
    [
      'as many blocks as there are',
      () => ({ counts: [1, 5] }),
      'badChoice: 5 blocks cannot be dropped: the model has 5, of which at most 4 may go.',
    ],
    [
      'more than the protected blocks leave',
      () => ({ counts: [3], protected: [0, 1, 2] }),
      'badChoice: 3 blocks cannot be dropped: the model has 5, of which at most 2 may go.',
    ],
    [
      'a span that protected blocks interrupt',
      () => ({ methods: ['angularDistance'], counts: [3], protected: [2] }),
      'badChoice: No 3 consecutive blocks are free of the protected ones; protect fewer or drop fewer.',
    ],
    [
      'a task that is none',
      () => ({ evaluate: { ...studyOf().evaluate!, tasks: ['hellaswog'] } }),
      'usage: There is no task hellaswog; the nearest is hellaswag.',
    ],
    [
      'no tasks',
      () => ({ evaluate: { ...studyOf().evaluate!, tasks: [] } }),
      'usage: An evaluation without tasks has nothing to do; name at least one.',
    ],
    [
      'nothing to measure',
      () => ({ evaluate: null, perplexity: null }),
      'usage: A study that measures nothing says nothing; give it tasks to evaluate, or a perplexity text.',
    ],
    [
      'data that are not there',
      () => ({ evaluate: { ...studyOf().evaluate!, data: '/nowhere' } }),
      "notFound: There is no folder /nowhere; give the one with the tasks' data as evaluate.data.",
    ],
    [
      'a task without its data',
      () => ({ evaluate: { ...studyOf().evaluate!, data: root } }),
      'notFound: There is no data for hellaswag (split validation) in ',
    ],
    [
      'a task that was not pulled',
      () => {
        vi.stubEnv('HF_HUB_CACHE', root);
        return { evaluate: { ...studyOf().evaluate!, data: null } };
      },
      'split validation) are not in ',
    ],
    [
      'items that a task does not have',
      () => ({ evaluate: { ...studyOf().evaluate!, items: { first: 1000, end: 1010 } } }),
      'usage: hellaswag has 40 items, counted from 0, and none of them is in 1000:1010; ask for others.',
    ],
    ['a text that is not there', () => ({ healing: healing({ data }) }), 'notFound: '],
    [
      'healing of what is not in the grid',
      () => ({ healing: healing({ counts: [4] }) }),
      "usage: healing.counts names 4, but the study's counts are 1, 2; name some of those.",
    ],
  ])('is %s', async (_, change, told) => {
    const out = join(root, 'refused');
    const refused = await carryOut(studyOf({ out, ...change() })).catch((error: unknown) => error);
    expect(isUserError(refused) ? `${refused.code}: ${refused.message}` : refused).toContain(told);
    expect(namesIn(out)).toEqual([]);
  });

  it('is a study whose tasks have other data now, but not one that was begun without looking at them', async () => {
    const out = join(root, 'tasks');
    const data = join(root, 'task-data');
    cpSync(studyOf().evaluate!.data!, data, { recursive: true });
    const evaluate = { ...studyOf().evaluate!, data };
    const recipe = studyOf({ out, evaluate, repairs: ['none'], healing: null, counts: [1], perplexity: null });
    await carryOut(recipe);
    appendFileSync(join(data, 'hellaswag/validation.jsonl'), '\n');
    await expect(carryOut(recipe)).rejects.toThrow(
      `The data of hellaswag is not what it was when the study in ${out} was begun; put it back, or give this study another out.`,
    );
    const begun = json(out, 'study.json');
    expect(Object.keys(begun.tasksSha256)).toEqual(['hellaswag', 'arc_easy']);
    writeFileSync(join(out, 'study.json'), JSON.stringify({ recipe: begun.recipe, inputs: begun.inputs }));
    expect((await carryOut(recipe)).calls).toEqual([]);
  });

  it('is the folder of another study, of other texts, or of something else', async () => {
    const out = join(root, 'other');
    const other = join(root, 'other.txt');
    writeFileSync(other, readFileSync(text, 'utf8'));
    const small: Partial<StudyRecipe> = { out, repairs: ['none'], healing: null, evaluate: null, counts: [1] };
    const recipe = studyOf({ ...small, perplexity: { ...studyOf().perplexity!, files: [other] } as never });
    await carryOut(recipe);
    await expect(carryOut({ ...recipe, counts: [1, 2] })).rejects.toThrow(
      `The study in ${out} was begun with counts = [1], not [1,2]; go on with that, or give this one another out.`,
    );
    writeFileSync(other, `${readFileSync(text, 'utf8')} The end.`);
    await expect(carryOut(recipe)).rejects.toThrow(
      `${other} is not what it was when the study in ${out} was begun; put it back, or give this study another out.`,
    );
    const taken = join(root, 'taken');
    mkdirSync(taken);
    writeFileSync(join(taken, 'mine.txt'), '');
    await expect(carryOut({ ...recipe, out: taken })).rejects.toThrow('exists and is not empty');
    expect(namesIn(taken)).toEqual(['mine.txt']);
  });
});
