// What follows from the declarations of the kinds: defaults, the facts of fields, paths and names, the options of commands.
import { describe, expect, it } from 'vitest';
import { readings } from '../../server/cli/readings';
import { computeOptions } from '../../server/recipes/commandLine';
import { fieldFacts, withDefaults } from '../../server/recipes/defaults';
import {
  fileKinds,
  isResumable,
  type Kind,
  kinds,
  modelsOf,
  recipeSchema,
  subjectOf,
  titleOf,
} from '../../server/recipes/kinds';
import type { RecipeKind } from '../../server/recipes/recipeKind';
import { unknownName } from '../../server/recipes/recipeNames';
import { mapPaths } from '../../server/recipes/recipePaths';
import { runnerOf } from '../../server/recipes/runRecipe';

const source = { kind: 'text', files: ['t'], sequences: null };
const data = { files: ['d'] };
/** The least that each kind has to say. */
const least: Record<Kind, object> = {
  pull: { repository: 'o/n' },
  publish: { model: 'm', repository: 'o/n' },
  inspect: { model: 'm' },
  analyze: { model: 'm', source },
  prune: { model: 'm', rule: { kind: 'chosen', blocks: [1] }, out: 'o' },
  sparsify: { model: 'm', ratio: 0.5, out: 'o' },
  perplexity: { models: ['m', 'n'], source },
  generate: { model: 'm', prompt: 'p' },
  heal: { model: 'm', data, out: 'o' },
  merge: { model: 'm', adapter: 'a', out: 'o' },
  evaluate: { models: ['m', 'n'], tasks: ['mmlu'], data: 'd' },
  export: { model: 'm', gguf: 'f16', out: 'o.gguf' },
  study: {
    model: 'm',
    source,
    methods: ['deepest'],
    counts: [1],
    out: 'o',
    healing: { data, loop: { heldOut: source } },
  },
  pipeline: {
    out: 'o',
    steps: [
      { id: 'pull', kind: 'pull', repository: 'o/n' },
      { id: 'prune', kind: 'prune', model: '$pull', rule: { kind: 'method', method: 'removal', count: 1 }, source },
      { id: 'evaluate', kind: 'evaluate', models: ['m', '$prune'], tasks: ['mmlu'] },
    ],
  },
  prove: { model: 'm' },
  card: { model: 'm' },
};
const each = (Object.keys(kinds) as Kind[]).map((kind) => ({ kind, input: { kind, ...least[kind] } }));

describe('a declaration', () => {
  it.each(each)('of $kind gives the same defaults without checking as with it', ({ kind, input }) => {
    const checked = recipeSchema.parse(input);
    expect(
      kind === 'heal' || kind === 'study' || kind === 'pipeline'
        ? recipeSchema.parse(withDefaults(kinds[kind].schema, input))
        : withDefaults(kinds[kind].schema, input),
    ).toEqual(checked);
  });

  it.each(each)('of $kind is carried out by the function of its name', async ({ kind }) => {
    expect((await runnerOf(kind)).name).toBe(`run${kind[0]!.toUpperCase()}${kind.slice(1)}`);
  });

  it.each(each)('of $kind has a field and a reading for every option', ({ kind }) => {
    const { command, schema }: RecipeKind = kinds[kind];
    const options = [...(command?.options ?? []), ...('compute' in schema.shape ? computeOptions : [])];
    for (const { field, read } of options) {
      if (field !== undefined) expect(() => fieldFacts(schema, field)).not.toThrow();
      if (read !== undefined) expect(readings).toHaveProperty(read);
    }
  });

  it.each([
    { field: 'optimizer.learningRate', facts: { default: 5e-4, choices: null } },
    { field: 'optimizer.schedule', facts: { default: 'linear', choices: ['constant', 'linear', 'cosine'] } },
    { field: 'objective.kind', facts: { default: 'nextToken', choices: ['nextToken', 'distillation'] } },
    { field: 'objective.temperature', facts: { default: 1, choices: null } },
    { field: 'loop.steps', facts: { default: 100, choices: null } },
    { field: 'loop.evaluateEverySteps', facts: { default: undefined, choices: null } },
  ])('says of $field of a healing what its options show', ({ field, facts }) => {
    expect(fieldFacts(kinds.heal.schema, field)).toEqual(facts);
  });

  it('refuses a field that nobody declared', () => {
    expect(() => fieldFacts(kinds.heal.schema, 'optimizer.learnRate')).toThrow('optimizer.learnRate');
  });

  it.each([
    { steps: 1, every: 1 },
    { steps: 100, every: 25 },
    { steps: 10_000, every: 500 },
  ])('evaluates a healing of $steps steps every $every', ({ steps, every }) => {
    const healing = kinds.heal.schema.parse({ ...each.find(({ kind }) => kind === 'heal')!.input, loop: { steps } });
    expect(healing.loop.evaluateEverySteps).toBe(every);
  });
});

describe('paths', () => {
  const tagged = {
    model: (path: string) => `model ${path}`,
    read: (path: string) => `read ${path}`,
    write: (path: string) => `write ${path}`,
  };
  it.each<{ kind: Kind; expected: object }>([
    { kind: 'inspect', expected: { model: 'model m' } },
    { kind: 'analyze', expected: { model: 'model m', source: { files: ['read t'] } } },
    { kind: 'prune', expected: { model: 'model m', source: null, out: 'write o', mergekit: null } },
    { kind: 'perplexity', expected: { models: ['model m', 'model n'], source: { files: ['read t'] } } },
    { kind: 'heal', expected: { model: 'model m', data: { files: ['read d'] }, dense: null, out: 'write o' } },
    { kind: 'merge', expected: { model: 'model m', adapter: 'model a', out: 'write o' } },
    { kind: 'publish', expected: { model: 'model m', repository: 'o/n' } },
    { kind: 'evaluate', expected: { models: ['model m', 'model n'], data: 'read d', samples: null } },
    {
      kind: 'study',
      expected: {
        source: { files: ['read t'] },
        healing: { data: { files: ['read d'] }, loop: { heldOut: { files: ['read t'] } } },
        out: 'write o',
      },
    },
    {
      kind: 'pipeline',
      expected: {
        out: 'write o',
        // What a step has made is no path yet.
        steps: [{}, { model: '$pull', source: { files: ['read t'] } }, { models: ['model m', '$prune'] }],
      },
    },
  ])('of $kind are mapped by what they lead to', ({ kind, expected }) => {
    expect(mapPaths(recipeSchema.parse({ kind, ...least[kind] }), tagged)).toMatchObject(expected);
  });
});

describe('of all kinds', () => {
  it('files hold these', () => {
    expect(fileKinds).toEqual([
      'pull',
      'analyze',
      'prune',
      'heal',
      'merge',
      'evaluate',
      'export',
      'study',
      'pipeline',
      'publish',
    ]);
  });

  it('these can be resumed', () => {
    expect((Object.keys(kinds) as Kind[]).filter(isResumable)).toEqual([
      'pull',
      'analyze',
      'prune',
      'heal',
      'merge',
      'evaluate',
      'export',
      'study',
      'pipeline',
      'publish',
    ]);
  });

  it('runs are called by their title and model', () => {
    expect(titleOf('generate', 'tiny')).toBe('Generate with tiny');
    expect(modelsOf(recipeSchema.parse({ kind: 'evaluate', ...least.evaluate }))).toEqual(['m', 'n']);
    expect(subjectOf(recipeSchema.parse({ kind: 'prune', ...least.prune }))).toBe('m');
    expect(subjectOf(recipeSchema.parse({ kind: 'pull', ...least.pull }))).toBe('o/n');
    const tasks = ['hellaswag', 'arc_easy', 'piqa', 'mmlu'];
    expect(subjectOf(recipeSchema.parse({ kind: 'pull', tasks }))).toBe('hellaswag, arc_easy, piqa and 1 more');
    expect(subjectOf(recipeSchema.parse({ kind: 'publish', ...least.publish }))).toBe('m');
    expect(subjectOf(recipeSchema.parse({ kind: 'pipeline', ...least.pipeline }))).toBe('o/n');
  });

  it('a name that is in no table is found where it stands', () => {
    const recipe = recipeSchema.parse({ kind: 'evaluate', ...least.evaluate, tasks: ['mmlu', 'hellaswagg'] });
    expect(unknownName(recipe)).toEqual({
      path: ['tasks', 1],
      sentence: 'There is no task hellaswagg; the nearest is hellaswag.',
    });
  });
});
