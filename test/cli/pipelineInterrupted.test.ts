// A pipeline that is killed between its steps or within one goes on when it is run again: no finished step is done twice, and the
// report is the same. Moments are drawn by a seed.
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import type { PipelineReport } from '../../server/recipes/pipeline/recipe';
import { long, modelFolder } from '../fixtures';
import { storyText } from '../recipes/healing';
import { contentsOf, espalier, start, until } from './espalier';
import { keptSteps, killedAt } from './interruptedSteps';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'pipeline-interrupted-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const text = (first: number) => `{ kind: text, files: [text.txt], tokens: 64, sequences: 4, start: ${first} }`;

/** A recipe file of its own for every run, since the place is part of what a pipeline is. */
function recipeFor(name: string): string[] {
  const model = modelFolder('stories260k');
  const recipe = `
kind: pipeline
out: ${name}
steps:
  - { id: scores, kind: analyze, model: ${model}, source: ${text(0)}, methods: [blockInfluence] }
  - id: prune
    kind: prune
    model: ${model}
    rule: { kind: method, method: blockInfluence, count: { kind: fit, bytes: 800000 } }
    scores: scores
    source: ${text(0)}
  - id: heal
    kind: heal
    model: $prune
    data: { files: [text.txt], tokens: 64, start: 512 }
    adapter: { rank: 4 }
    loop: { steps: 12, microBatchSequences: 2, saveEverySteps: 3, evaluateEverySteps: 6 }
  - { id: merge, kind: merge, model: $prune, adapter: $heal }
  - { id: losses, kind: perplexity, models: [${model}, $prune, $merge], source: ${text(256)} }
compute: { device: cpu, threads: 2 }
`;
  writeFileSync(join(root, `${name}.yaml`), recipe);
  return ['run', `${name}.yaml`, '--quiet'];
}

const read = (name: string) => JSON.parse(readFileSync(join(root, name, 'report.json'), 'utf8')) as PipelineReport;

/** Its report, but for places, how long it took, and how much memory. */
const findingsIn = (name: string): unknown =>
  JSON.parse(
    JSON.stringify(
      read(name).steps.map(({ id, made, report }) => ({ id, made, report })),
      (key, value) => (/^(timing|transfers|tokensPerSecond)$|elapsedMs|^peak/.test(key) ? undefined : value),
    ).replaceAll(join(root, name), 'OUT'),
  );

const keptIn = (name: string) => keptSteps(join(root, name));

let expected: unknown;
beforeAll(async () => {
  writeFileSync(join(root, 'text.txt'), storyText(400));
  const { code, stderr } = await espalier(recipeFor('whole'), root);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expected = findingsIn('whole');
});

const random = mulberry32(11);
const trials = Array.from({ length: long ? 20 : 3 }, (_, trial) => ({
  trial,
  nSteps: Math.floor(random() * 5),
  delayMs: Math.round(random() * 400),
}));

describe.skipIf(process.platform !== 'linux')('a pipeline that is killed', () => {
  it('has something to be equal in', () => {
    const losses = read('whole').steps.at(-1)!.report;
    expect(losses.kind === 'perplexity' && new Set(losses.models.map(({ lossNats }) => lossNats)).size).toBe(3);
  });

  it.each(trials)('goes on to the same end, $trial: after $nSteps steps and $delayMs ms', async (trial) => {
    const name = `run-${trial.trial}`;
    const args = recipeFor(name);
    await killedAt(args, root, join(root, name), trial);
    const kept = keptIn(name);
    const { code, stderr } = await espalier(args, root);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(keptIn(name)).toMatchObject(kept);
    const before = read(name).steps.filter(({ doneBefore }) => doneBefore);
    expect(before.map(({ id }) => id).sort()).toEqual(Object.keys(kept).sort());
    expect(findingsIn(name)).toEqual(expected);
    expect(contentsOf(join(root, name)).filter((file) => file.includes('partial'))).toEqual([]);
  });

  it('by Ctrl-C says how it goes on, and does, and tells what each step found', async () => {
    const args = recipeFor('asked');
    const started = start(args, root);
    await until('it is under way', () => Object.keys(keptIn('asked')).length > 0);
    process.kill(started.pid, 'SIGINT');
    expect(await started.ended).toMatchObject({
      code: 130,
      stdout: '',
      stderr: `espalier: Cancelled; the pipeline in ${join(root, 'asked')} goes on after its last finished step when it is run again.\n`,
    });
    const { code, stdout } = await espalier(args.slice(0, 2), root);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^# scores \(analyze\)$/m);
    expect(stdout).toMatch(/^MLP channels +172 -> 150 in every block/m);
    expect(stdout).toMatch(/^scores +done before/m);
    expect(findingsIn('asked')).toEqual(expected);
  });
});
