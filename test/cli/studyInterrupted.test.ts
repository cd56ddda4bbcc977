// A study that is killed at any moment goes on when it is run again: no finished step is done twice, and the report is the
// same. Moments are drawn by a seed.
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import type { StudyReport } from '../../server/recipes/study/recipe';
import { long, modelFolder } from '../fixtures';
import { storyText } from '../recipes/healing';
import { contentsOf, espalier, start, until } from './espalier';
import { keptSteps, killedAt } from './interruptedSteps';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'study-interrupted-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A recipe file of its own for every run, since the place is part of what a study is. */
function recipeFor(name: string): string[] {
  const text = (start: number, sequences: number) =>
    `{ kind: text, files: [text.txt], tokens: 64, sequences: ${sequences}, start: ${start} }`;
  const recipe = `
kind: study
model: ${modelFolder('stories260k')}
out: ${name}
source: ${text(0, 4)}
methods: [blockInfluence, greedy]
counts: [1, 2]
healing:
  counts: [1]
  data: { files: [text.txt], tokens: 64, start: 512 }
  adapter: { rank: 4 }
  loop: { steps: 12, microBatchSequences: 2, saveEverySteps: 3, evaluateEverySteps: 6 }
perplexity: ${text(256, 4)}
compute: { device: cpu, threads: 2 }
`;
  writeFileSync(join(root, `${name}.yaml`), recipe);
  return ['run', `${name}.yaml`, '--quiet'];
}

/** Its report, but for places, how long it took, how much memory, and what was done before. */
function findingsIn(name: string): unknown {
  const { steps, timing: _, peakMemoryBytes: _m, ...rest } = read(name);
  return JSON.parse(JSON.stringify({ ...rest, steps: steps.map(({ id }) => id) }).replaceAll(join(root, name), 'OUT'));
}
const read = (name: string) => JSON.parse(readFileSync(join(root, name, 'report.json'), 'utf8')) as StudyReport;

const keptIn = (name: string) => keptSteps(join(root, name));

let expected: unknown;
beforeAll(async () => {
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, 'text.txt'), storyText(400));
  const { code, stderr } = await espalier(recipeFor('whole'), root);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expected = findingsIn('whole');
});

const random = mulberry32(7);
const trials = Array.from({ length: long ? 20 : 4 }, (_, trial) => ({
  trial,
  nSteps: Math.floor(random() * 7),
  delayMs: Math.round(random() * 400),
}));

describe.skipIf(process.platform !== 'linux')('a study that is killed', () => {
  it('has something to be equal in', () => {
    const { variants, steps } = read('whole');
    expect(variants.length).toBeGreaterThanOrEqual(4);
    expect(steps.length).toBeGreaterThanOrEqual(6);
    expect(variants.some(({ healed }) => healed)).toBe(true);
    expect(new Set(variants.map(({ loss }) => loss!.lossNats)).size).toBe(variants.length);
    expect(contentsOf(join(root, 'whole', 'models'))).toEqual([]);
  });

  it.each(trials)('goes on to the same end, $trial: after $nSteps steps and $delayMs ms', async (trial) => {
    const name = `run-${trial.trial}`;
    const args = recipeFor(name);
    await killedAt(args, root, join(root, name), trial);
    const kept = keptIn(name);
    const { code, stderr } = await espalier(args, root);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(keptIn(name)).toMatchObject(kept);
    expect(
      read(name)
        .steps.filter(({ doneBefore }) => doneBefore)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(Object.keys(kept).sort());
    expect(findingsIn(name)).toEqual(expected);
    expect(contentsOf(join(root, name)).filter((file) => file.includes('partial'))).toEqual([]);
  });

  it('by Ctrl-C says how it goes on, and does', async () => {
    const args = recipeFor('asked');
    const started = start(args, root);
    await until('it is under way', () => Object.keys(keptIn('asked')).length > 0);
    process.kill(started.pid, 'SIGINT');
    expect(await started.ended).toMatchObject({
      code: 130,
      stdout: '',
      stderr: `espalier: Cancelled; the study in ${join(root, 'asked')} goes on after its last finished step when it is run again.\n`,
    });
    const report = join(root, 'asked.json');
    expect(await espalier([...args, '--json', report], root)).toMatchObject({ code: 0, stderr: '' });
    expect(findingsIn('asked')).toEqual(expected);
    expect(JSON.parse(readFileSync(report, 'utf8')).variants).toEqual(read('asked').variants);
  });

  it('tells what is before it, and what it found', async () => {
    const [run, file] = recipeFor('told');
    const { code, stdout, stderr } = await espalier([run!, file!], root);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^A study of 6 variants in \d+ steps; about [\d.]+ (s|min)\n/);
    expect(stderr).toMatch(/^heal +heal greedy 1, healed +about /m);
    expect(stdout).toMatch(/^variant +without +loss, nats +cost/);
    expect(stdout).toContain(
      `report.html, report.md, report.json, recipe.yaml and charts/ are in ${join(root, 'told')}\n`,
    );
    expect(readFileSync(join(root, 'told/report.md'), 'utf8')).toContain('## What can be said');
  });
});
