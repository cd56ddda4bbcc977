// A pipeline: what its steps may name, that it is refused as a whole before anything is written, what it leaves, and that it goes on
// where it was ended.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../server/protocol/engine';
import type { PipelineRecipe, PipelineReport } from '../../server/recipes/pipeline/recipe';
import { runPipeline } from '../../server/recipes/pipeline/pipeline';
import { type StepRunners, stepRunners } from '../../server/recipes/pipeline/runners';
import { stepsOf } from '../../server/recipes/pipeline/steps';
import { parseRecipe } from '../../server/recipes/recipeFile';
import { modelFolder } from '../fixtures';
import { storyText } from './healing';

const root = mkdtempSync(join(tmpdir(), 'pipeline-'));
const model = modelFolder('stories260k');
beforeAll(() => writeFileSync(join(root, 'text.txt'), storyText(400)));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const text = (start: number) => `{ kind: text, files: [text.txt], tokens: 64, sequences: 4, start: ${start} }`;
const whole = `
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
  loop: { steps: 4, microBatchSequences: 2, saveEverySteps: 1, evaluateEverySteps: 2 }
- { id: merge, kind: merge, model: $prune, adapter: $heal }
- { id: prove, kind: prove, model: $merge, original: ${model}, reports: [$prune] }
- { id: gguf, kind: export, model: $merge, gguf: f16 }
- { id: losses, kind: perplexity, models: [${model}, $prune, $merge], source: ${text(256)} }
`;

let nPipelines = 0;
function pipeline(steps = whole, name = `p${nPipelines++}`): PipelineRecipe {
  const yaml = `kind: pipeline\nout: ${name}\nsteps:\n${steps.trim().replace(/^/gm, '  ')}\ncompute: { device: cpu, threads: 2 }\n`;
  return parseRecipe(yaml, join(root, `${name}.yaml`)) as PipelineRecipe;
}

interface Hooks {
  readonly signal?: AbortSignal;
  readonly hubToken?: string;
  readonly before?: (id: string) => unknown;
  readonly runners?: Partial<StepRunners>;
}

/** With the ids of the kinds that were carried out. */
async function carryOut(recipe: PipelineRecipe, { signal, before, runners, hubToken }: Hooks = {}) {
  const kinds: string[] = [];
  const events: EngineEvent[] = [];
  const watched = Object.fromEntries(
    Object.entries({ ...stepRunners, ...runners }).map(([kind, runner]) => [
      kind,
      async (...all: unknown[]) => {
        await before?.(kind);
        kinds.push(kind);
        return (runner as (...all: unknown[]) => Promise<unknown>)(...all);
      },
    ]),
  ) as unknown as StepRunners;
  const run = { signal: signal ?? new AbortController().signal, emit: (event: EngineEvent) => void events.push(event) };
  const given = hubToken === undefined ? run : { ...run, hubToken };
  return { report: await runPipeline(recipe, given, watched), kinds, events };
}

/** But for how long it took and where it lies. */
const findings = ({ steps, out }: PipelineReport) =>
  JSON.parse(
    JSON.stringify(
      steps.map(({ id, report, made }) => ({ id, made, report })),
      (key, value) => (/timing|elapsedMs|peak|Ms$|tokensPerSecond|transfers/.test(key) ? undefined : value),
    ).replaceAll(out, 'OUT'),
  );

describe('a whole pipeline', () => {
  let first: Awaited<ReturnType<typeof carryOut>>;
  let recipe: PipelineRecipe;
  beforeAll(async () => {
    recipe = pipeline();
    first = await carryOut(recipe);
  });

  it('does one step after the other, with what earlier ones made', () => {
    const { report, kinds } = first;
    expect(kinds).toEqual(['analyze', 'prune', 'heal', 'merge', 'prove', 'export', 'perplexity']);
    const made = Object.fromEntries(report.steps.map(({ id, made: folder }) => [id, folder]));
    expect(made).toMatchObject({
      scores: null,
      prune: join(recipe.out, 'made/prune'),
      heal: join(recipe.out, 'made/heal'),
      gguf: join(recipe.out, 'made/gguf.gguf'),
    });
    const losses = report.steps.at(-1)!.report;
    expect(losses.kind === 'perplexity' && losses.models.map(({ folder }) => folder)).toEqual([
      model,
      made.prune,
      made.merge,
    ]);
  });

  it('chooses by the analysis that the step names, to the size that it asks for', () => {
    const { report } = first.report.steps[1]!;
    if (report.kind !== 'prune') throw new Error(report.kind);
    expect(report.rule).toMatchObject({ kind: 'chosen', blocks: [3] });
    expect(report.channels).toMatchObject({ before: 172, after: 150 });
  });

  it('leaves the report of each step, and one of all', () => {
    const files = readdirSync(join(recipe.out, 'reports')).sort();
    expect(files).toEqual(['gguf', 'heal', 'losses', 'merge', 'prove', 'prune', 'scores'].map((id) => `${id}.json`));
    const all = JSON.parse(readFileSync(join(recipe.out, 'report.json'), 'utf8')) as PipelineReport;
    for (const { id, report } of all.steps)
      expect(JSON.parse(readFileSync(join(recipe.out, 'reports', `${id}.json`), 'utf8'))).toEqual(report);
  });

  it('says how far it is, never backwards', () => {
    const parts = first.events.flatMap((event) => (event.kind === 'progress' ? [event.fraction] : []));
    expect(parts.length).toBeGreaterThan(6);
    expect(parts).toEqual([...parts].sort((a, b) => a - b));
    expect(parts.at(-1)).toBeLessThanOrEqual(1);
  });

  it('has nothing left to do when it is run again, and says so', async () => {
    const again = await carryOut(recipe);
    expect(again.kinds).toEqual([]);
    expect(again.report.steps.every(({ doneBefore }) => doneBefore)).toBe(true);
    expect(findings(again.report)).toEqual(findings(first.report));
  });

  it('makes again what somebody removed', async () => {
    rmSync(join(recipe.out, 'made/merge'), { recursive: true });
    rmSync(join(recipe.out, 'made/gguf.gguf'));
    rmSync(join(recipe.out, 'reports/heal.json'));
    const again = await carryOut(recipe);
    expect(again.kinds).toEqual(['merge', 'export']);
    expect(findings(again.report)).toEqual(findings(first.report));
    expect(existsSync(join(recipe.out, 'reports/heal.json'))).toBe(true);
  });

  it.each(['prune', 'merge'])('ended before %s, goes on to the same end', async (kind) => {
    const other = pipeline();
    const abort = new AbortController();
    const ended = carryOut(other, { signal: abort.signal, before: (at) => at === kind && abort.abort() });
    await expect(ended).rejects.toThrow(
      `Cancelled; the pipeline in ${other.out} goes on after its last finished step when it is run again.`,
    );
    const { report, kinds } = await carryOut(other);
    expect(kinds[0]).toBe(kind);
    expect(findings(report)).toEqual(findings(first.report));
  });

  it.each<[string, (steps: string) => string, RegExp]>([
    [
      'another recipe',
      (steps) => steps.replace('rank: 4', 'rank: 2'),
      /was begun with steps\.heal\.adapter\.rank = 4, not 2/,
    ],
    ['a step less', (steps) => steps.replace(/- \{ id: losses.*\n/, ''), /was begun with steps\.losses/],
  ])('does not go on as %s', async (_, change, sentence) => {
    await expect(carryOut(pipeline(change(whole), 'p0'))).rejects.toThrow(sentence);
  });

  it('does not go on with another text', async () => {
    writeFileSync(join(root, 'text.txt'), storyText(401));
    await expect(carryOut(recipe)).rejects.toThrow(/text\.txt is not what it was when the pipeline in .* was begun/);
    writeFileSync(join(root, 'text.txt'), storyText(400));
    utimesSync(join(root, 'text.txt'), 1, 1);
  });
});

describe('before anything is written, it is refused', () => {
  const prune = `- { id: prune, kind: prune, model: ${model}, rule: { kind: deepest, count: 1 } }\n`;
  it.each<[string, string, RegExp]>([
    ['where two steps have one id', prune + prune, /^The step prune is there twice; give one of the two another id\.$/],
    ['where a step is named that is not there', prune.replace(model, '$pull'), /names \$pull, but no step before it/],
    [
      'where a later step is named',
      `${prune.replace(model, '$heal')}- { id: heal, kind: heal, model: $prune, data: { files: [text.txt] } }`,
      /^The step prune names \$heal, but no step before it has that id\.$/,
    ],
    [
      'where a model is wanted of a step that makes none',
      `- { id: scores, kind: analyze, model: ${model}, source: ${text(0)} }\n- { id: merge, kind: merge, model: $scores, adapter: a }`,
      /^The step merge names \$scores for a model, but a step of kind analyze makes no folder\.$/,
    ],
    [
      'where an adapter is wanted of a step that makes a model',
      `${prune}- { id: merge, kind: merge, model: ${model}, adapter: $prune }`,
      /names \$prune for an adapter, but a step of kind prune makes a model\.$/,
    ],
    [
      'where a model is wanted of a step that makes an adapter',
      `- { id: heal, kind: heal, model: ${model}, data: { files: [text.txt] } }\n${prune.replace(model, '$heal')}`,
      /names \$heal for a model, but a step of kind heal makes an adapter\.$/,
    ],
    [
      'where scores are of another model',
      `- { id: scores, kind: analyze, model: ${model}, source: ${text(0)} }\n${prune}- { id: again, kind: prune, model: $prune, scores: scores, rule: { kind: method, method: removal, count: 1 } }`,
      /prunes \$prune, but scores analyzes .*; both have to be the same/,
    ],
    [
      'where a budget and a width both say how many channels stay',
      prune.replace('count: 1 } }', 'count: { kind: fit, bytes: 800000 } }, mlpWidth: 100 }'),
      /^Step prune: A budget says how many channels stay; leave out the width of the MLPs, or the budget\.$/,
    ],
    [
      'where more channels shall stay than there are',
      prune.replace('count: 1 } }', 'count: 1 }, mlpWidth: 173 }'),
      /^Step prune: The MLPs have 172 channels, so that 173 cannot stay; keep fewer\.$/,
    ],
    [
      'where more blocks shall go than there are',
      prune.replace('count: 1', 'count: 5'),
      /^Step prune: 5 blocks cannot be dropped/,
    ],
    [
      'where the last step has no text',
      `${prune}- { id: losses, kind: perplexity, models: [$prune], source: { kind: text, files: [none.txt] } }`,
      /There is no file .*none\.txt/,
    ],
    [
      'where the text of the last step is too short',
      `${prune}- { id: losses, kind: perplexity, models: [$prune], source: { kind: text, files: [text.txt], tokens: 400, sequences: 9999, atMost: false } }`,
      /^Step losses: /,
    ],
    [
      'where tasks have no data',
      `${prune}- { id: tasks, kind: evaluate, models: [$prune], tasks: [piqa], data: none }`,
      /^Step tasks: There is no folder .*none; give the one with the tasks' data\.$/,
    ],
    [
      'where a budget cannot be met',
      prune.replace('count: 1', 'count: { kind: fit, bytes: 1000 }'),
      /^Step prune: Without all 4 blocks that may go/,
    ],
    [
      'where a pull asks for nothing',
      '- { id: pull, kind: pull }',
      /The step pull is not right: a pull has a repository or tasks/,
    ],
  ])('%s', async (_, steps, sentence) => {
    const recipe = pipeline(steps);
    await expect(carryOut(recipe)).rejects.toThrow(sentence);
    expect(existsSync(recipe.out)).toBe(false);
  });

  it('in a folder that holds something else', async () => {
    const recipe = pipeline(prune, 'text.txt');
    await expect(carryOut(recipe)).rejects.toThrow(/text\.txt/);
  });
});

describe('a model that is pulled', () => {
  const steps = `
- { id: pull, kind: pull, repository: owner/name }
- { id: prune, kind: prune, model: $pull, rule: { kind: deepest, count: COUNT } }
`;
  const pull = (async () => ({ kind: 'pull', out: model })) as unknown as StepRunners['pull'];

  it('is what the next steps are checked by once it is there, and pruned', async () => {
    const { report } = await carryOut(pipeline(steps.replace('COUNT', '2')), { runners: { pull } });
    expect(report.steps[0]!.made).toBe(model);
    expect(report.steps[1]!.report).toMatchObject({ dropSet: [2, 3] });
    const recipe = pipeline(steps.replace('COUNT', '5'));
    await expect(carryOut(recipe, { runners: { pull } })).rejects.toThrow(/^Step prune: Only 4 blocks may go|5 blocks/);
    expect(readdirSync(join(recipe.out, 'made'))).toEqual([]);
  });
});

it('publishes what steps made, with their reports and the token that it was given', async () => {
  const steps = `
- { id: prune, kind: prune, model: ${model}, rule: { kind: deepest, count: 1 } }
- { id: hub, kind: publish, model: $prune, original: ${model}, repository: owner/name, reports: [$prune] }
`;
  const asked: unknown[] = [];
  const publish = (async (...all: unknown[]) => {
    asked.push(...all);
    return { kind: 'publish' };
  }) as unknown as StepRunners['publish'];
  const recipe = pipeline(steps);
  await carryOut(recipe, { runners: { publish }, hubToken: 'hf_secret' });
  expect(asked).toMatchObject([
    { model: join(recipe.out, 'made/prune'), reports: [join(recipe.out, 'reports/prune.json')], visibility: 'private' },
    { hubToken: 'hf_secret' },
  ]);
});

it('ends at a proof that does not hold, and proves again the next time', async () => {
  const steps = `- { id: prove, kind: prove, model: ${model} }\n- { id: prune, kind: prune, model: ${model}, rule: { kind: deepest, count: 1 } }`;
  const prove = (async () => ({
    kind: 'prove',
    passed: false,
    checks: [{ check: 'files', outcome: 'failed', sentence: 'It holds a pickle.' }],
  })) as unknown as StepRunners['prove'];
  const recipe = pipeline(steps);
  await expect(carryOut(recipe, { runners: { prove } })).rejects.toThrow(
    /^Step prove: what was made does not hold\. It holds a pickle\.$/,
  );
  expect((await carryOut(recipe)).kinds).toEqual(['prove', 'prune']);
});

it('gives every step its place and the way it is computed', () => {
  const [, prune] = stepsOf(pipeline());
  expect(prune).toMatchObject({
    scores: 'scores',
    after: ['scores'],
    recipe: { mergekit: null, compute: { threads: 2 } },
  });
});
