// Names of tasks and groups, and which items are taken.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTask, resolveTasks, taskNames, tasksNamed } from '../../server/evaluation/tasks';
import { sixMmluSubjects } from '../../server/shared/mmlu';
import { evaluationTokens } from '../../server/evaluation/taskSizes';
import { refusal } from '../refusal';
import { fixtures } from './golden';

const data = join(fixtures, 'data');

describe('names stand for tasks', () => {
  const rows: { names: string[]; tasks: number; groups: string[] }[] = [
    { names: ['hellaswag'], tasks: 1, groups: [] },
    { names: ['ai2_arc', 'arc_easy'], tasks: 2, groups: [] },
    { names: ['mmlu_philosophy'], tasks: 1, groups: [] },
    { names: ['mmlu_stem'], tasks: 19, groups: ['mmlu_stem'] },
    { names: ['mmlu_humanities', 'mmlu_philosophy'], tasks: 13, groups: ['mmlu_humanities'] },
    {
      names: ['wikitext', 'mmlu', 'mmlu_other'],
      tasks: 58,
      groups: ['mmlu', 'mmlu_stem', 'mmlu_other', 'mmlu_social_sciences', 'mmlu_humanities'],
    },
  ];
  it.each(rows)('$names', ({ names, tasks, groups }) => {
    const resolved = resolveTasks(names);
    expect(new Set(resolved.tasks.map(({ name }) => name)).size).toBe(tasks);
    expect(resolved.tasks).toHaveLength(tasks);
    expect(resolved.groups.map(({ group }) => group)).toEqual(groups);
  });

  it.each([
    ['mmlu', 57, null],
    ['mmlu_stem', 19, 'mmlu'],
    ['mmlu_humanities', 13, 'mmlu'],
    ['mmlu_social_sciences', 12, 'mmlu'],
    ['mmlu_other', 13, 'mmlu'],
  ])('%s has %i tasks', (name, count, parent) => {
    const group = resolveTasks(['mmlu']).groups.find((it) => it.group === name);
    expect([group?.tasks.length, group?.parent, group?.version]).toEqual([count, parent, 2]);
  });

  it('a task is counted in a group only where the group was asked for', () => {
    expect(resolveTasks(['mmlu_philosophy']).tasks[0]?.group).toBeNull();
    expect(resolveTasks(['mmlu_humanities']).tasks[0]?.group).toBe('mmlu_humanities');
    expect(resolveTasks(['mmlu_humanities']).groups[0]?.parent).toBeNull();
  });

  it('every name stands for something', () => {
    for (const name of taskNames()) expect(resolveTasks([name]).tasks.length, name).toBeGreaterThan(0);
  });

  it('the six subjects that stand for MMLU are subjects, of three groups', () => {
    const groups = sixMmluSubjects.flatMap((name) => tasksNamed(name).map(({ group }) => group));
    expect(groups).toHaveLength(6);
    expect(new Set(groups).size).toBe(3);
  });

  it.each([
    [['piqa'], null, null, 1838 * 57],
    [['piqa'], { first: 0, end: 60 }, null, 60 * 57],
    [['piqa', 'piqa'], { first: 0, end: 60 }, 2, 60 * 57 * 3],
    [['wikitext'], { first: 0, end: 1 }, 2, 4830],
    [['mmlu_stem', 'mmlu_virology', 'mmlu_anatomy'], { first: 10, end: 20 }, 5, 20 * 103 * (10 + 5)],
    [['nothing'], null, null, 0],
  ])('%j of %j with %s examples', (names, items, fewShot, tokens) => {
    expect(evaluationTokens(names, items, fewShot)).toBe(tokens);
  });

  it.each([
    [['helaswag'], 'usage: There is no task or group of tasks called helaswag; did you mean hellaswag?'],
    [
      ['arc_easy', 'arc-challenge'],
      'usage: There is no task or group of tasks called arc-challenge; did you mean arc_challenge?',
    ],
    [['mmlu_law'], 'usage: There is no task or group of tasks called mmlu_law; did you mean mmlu?'],
    [[], 'usage: No task was named; name some, such as hellaswag, arc_easy or mmlu.'],
  ])('%j is refused', (names, expected) => {
    expect(refusal(() => resolveTasks(names))).toBe(expected);
  });
});

describe('items are those of a range', () => {
  const [piqa] = resolveTasks(['piqa']).tasks;

  it.each([
    [null, 0, 40],
    [{ first: 0, end: 1 }, 0, 1],
    [{ first: 38, end: 100 }, 38, 40],
  ])('%j', async (items, first, end) => {
    const { facts, items: found } = await loadTask(piqa!, { data, items, fewShot: null });
    expect(found.map(({ docId }) => docId)).toEqual(Array.from({ length: end - first }, (_, i) => first + i));
    expect([facts.nItems, facts.nItemsOfTask]).toEqual([end - first, 40]);
  });

  it.each([
    [{ first: 40, end: 50 }, 'piqa has 40 items, counted from 0, and none of them is in 40:50; ask for others.'],
    [{ first: 3, end: 3 }, 'piqa has 40 items, counted from 0, and none of them is in 3:3; ask for others.'],
  ])('%j is refused', async (items, expected) => {
    await expect(loadTask(piqa!, { data, items, fewShot: null })).rejects.toThrow(expected);
  });

  it('examples from a split that is not there are missed by its name', async () => {
    await expect(loadTask(piqa!, { data, items: null, fewShot: 1 })).rejects.toThrow(
      /^There is no data for piqa \(split train\) in .*; leave --data out after `espalier pull --task piqa`, get the split from baber\/piqa, or name another folder, or take no examples\.$/,
    );
  });

  it('a text without a question takes no examples', async () => {
    const { facts } = await loadTask(resolveTasks(['wikitext']).tasks[0]!, { data, items: null, fewShot: 5 });
    expect(facts).toMatchObject({ nFewShot: 0, chance: null, output: 'rolling', nItems: 2 });
  });
});
