// A study of which one file was damaged: only the step of that file is done again, the study finds the same, and says so.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openStudyFolder } from '../../server/recipes/study/folder';
import { prepareStudy, type ReadyStudy } from '../../server/recipes/study/inputs';
import { analysisStep } from '../../server/recipes/study/steps';
import { damageNames, damages } from '../damage';
import { carryOut, findings, openStudies } from './studies';

const { root, studyOf } = openStudies();
const recipe = studyOf({
  methods: ['blockInfluence'],
  counts: [1],
  repairs: ['none'],
  healing: null,
  evaluate: null,
  out: join(root, 'small'),
});
const whole = join(root, 'whole');
const first = analysisStep(recipe);
let ready: ReadyStudy;
let expected: unknown;

beforeAll(async () => {
  expected = findings((await carryOut(recipe)).report);
  cpSync(recipe.out, whole, { recursive: true });
  ready = await prepareStudy(recipe);
});
beforeEach(() => {
  rmSync(recipe.out, { recursive: true });
  cpSync(whole, recipe.out, { recursive: true });
});

async function opened() {
  const said: string[] = [];
  const say = (text: string) => void said.push(text.replaceAll(`${recipe.out}/`, ''));
  const folder = await openStudyFolder(recipe, ready.inputs, ready.tasksSha256, say);
  return { isKept: (await folder.kept(first)) !== null, said };
}
const harmless = (damage: string) => damage === 'withoutItsLineEnd';

describe('a study', () => {
  const step = `steps/${first.id}.json`;
  it.each(damageNames)('does a step again whose file is damaged: %s', async (damage) => {
    damages[damage](join(recipe.out, step));
    const said = harmless(damage) || damage === 'gone' ? [] : [`${step} is damaged; its step is done again.`];
    expect(await opened()).toEqual({ isKept: harmless(damage), said });
  });

  it.each(damageNames.filter((damage) => damage !== 'gone' && damage !== 'aFolder'))(
    'goes on by its steps where study.json is damaged: %s',
    async (damage) => {
      const file = join(recipe.out, 'study.json');
      damages[damage](file);
      const said = 'study.json was damaged; it is written anew, since the analysis beside it is its own.';
      expect(await opened()).toEqual({ isKept: true, said: harmless(damage) ? [] : [said] });
      expect(readFileSync(file, 'utf8').trimEnd()).toBe(readFileSync(join(whole, 'study.json'), 'utf8').trimEnd());
    },
  );

  it('is refused where study.json is damaged and nothing says whose steps these are', async () => {
    damages.zeroed(join(recipe.out, 'study.json'));
    damages.flippedBit(join(recipe.out, step));
    await expect(opened()).rejects.toMatchObject({ code: 'badData', message: expect.stringContaining('is damaged') });
  });

  it('finds the same after every one of its files was damaged in turn', async () => {
    const steps = readdirSync(join(recipe.out, 'steps'));
    expect(steps.length).toBeGreaterThanOrEqual(2);
    for (const name of steps) damages.flippedBit(join(recipe.out, 'steps', name));
    const { report, calls, events } = await carryOut(recipe);
    expect(calls).toHaveLength(steps.length);
    expect(events.filter(({ kind }) => kind === 'warning')).toHaveLength(steps.length);
    expect(findings(report)).toEqual(expected);
  });

  it('of an earlier version, without checksums, is gone on with', async () => {
    for (const name of ['study.json', step]) {
      const file = join(recipe.out, name);
      writeFileSync(file, readFileSync(file, 'utf8').replace(/,\s*"checksum": ?"[0-9a-f]{16}"/, ''));
    }
    expect(await opened()).toEqual({ isKept: true, said: [] });
  });
});
