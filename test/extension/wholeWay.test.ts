// What a person did, run by run, as one pipeline that can be carried out.
import { describe, expect, it } from 'vitest';
import { type DoneRun, wholeWay } from '../../extension/wholeWay';
import { type Recipe, recipeSchema, type Report } from '../../server/recipes/kinds';
import { stepsOf } from '../../server/recipes/pipeline/steps';
import { formatRecipe, parseRecipe } from '../../server/recipes/recipeFile';

const source = { kind: 'text', files: ['/t.txt'], sequences: 4 };
const folder = '/cache/snapshots/c0';
let endedAtEpochMs = 0;
const done = (recipe: object, out?: string): DoneRun => ({
  recipe: recipeSchema.parse(recipe) as Recipe,
  report: { kind: (recipe as Recipe).kind, ...(out && { out }) } as unknown as Report,
  endedAtEpochMs: endedAtEpochMs++,
});
const pull = done({ kind: 'pull', repository: 'owner/name' }, folder);
const scores = done({ kind: 'analyze', model: folder, source, stay: true });
const prune = done(
  { kind: 'prune', model: folder, rule: { kind: 'chosen', blocks: [3] }, out: '/w/pruned' },
  '/w/pruned',
);
const other = done(
  { kind: 'prune', model: folder, rule: { kind: 'chosen', blocks: [1] }, out: '/w/other' },
  '/w/other',
);
const first = done({ kind: 'evaluate', models: [folder, '/w/pruned'], tasks: ['piqa'], data: '/d' });
const heal = done(
  { kind: 'heal', model: '/w/pruned', data: { files: ['/t.txt'] }, dense: folder, resume: true, out: '/w/adapter' },
  '/w/adapter',
);
const merge = done({ kind: 'merge', model: '/w/pruned', adapter: '/w/adapter', out: '/w/healed' }, '/w/healed');
const both = [folder, '/w/pruned', '/w/healed'];
const evaluate = done({ kind: 'evaluate', models: both, tasks: ['piqa'], data: '/d', samples: '/s.jsonl' });
const again = done({ kind: 'evaluate', models: both, tasks: ['hellaswag'], data: '/d' });
const gguf = done({ kind: 'export', model: '/w/healed', gguf: 'f16', out: '/w/h.gguf' }, '/w/h.gguf');
const elsewhere = done({ kind: 'evaluate', models: [folder, '/w/other'], tasks: ['piqa'], data: '/d' });
const all = [gguf, elsewhere, again, evaluate, merge, heal, first, other, prune, scores, pull];

const ids = (runs: readonly DoneRun[], of: string) => wholeWay(runs, of, '/w/way').steps.map(({ id }) => id);

describe('the whole way to a model', () => {
  it('is what was pulled, analyzed and made, and the last of what was measured', () => {
    const way = wholeWay(all, '/w/healed', '/w/way');
    expect(way.steps).toMatchObject([
      { id: 'pull', kind: 'pull', repository: 'owner/name' },
      { id: 'analyze', kind: 'analyze', model: '$pull' },
      { id: 'prune', kind: 'prune', model: '$pull', rule: { kind: 'chosen', blocks: [3] } },
      { id: 'heal', kind: 'heal', model: '$prune', dense: '$pull' },
      { id: 'merge', kind: 'merge', model: '$prune', adapter: '$heal' },
      { id: 'evaluate', kind: 'evaluate', models: ['$pull', '$prune'] },
      { id: 'evaluate-2', kind: 'evaluate', models: ['$pull', '$prune', '$merge'], tasks: ['hellaswag'] },
      { id: 'export', kind: 'export', model: '$merge', gguf: 'f16' },
    ]);
  });

  it('is a recipe as files hold them, whose steps can follow each other', () => {
    const way = wholeWay(all, '/w/healed', '/w/way');
    const read = parseRecipe(formatRecipe(way), '/w/way.espalier.yaml');
    expect(read).toEqual(recipeSchema.parse(way));
    expect(read.kind === 'pipeline' && stepsOf(read).map(({ id }) => id)).toEqual(way.steps.map(({ id }) => id));
  });

  it.each<[string, readonly DoneRun[], string, string[]]>([
    ['to a pruned one ends there', all, '/w/pruned', ['pull', 'analyze', 'prune', 'evaluate']],
    ['of the original leads to the newest', all, folder, ids(all, '/w/healed')],
    [
      'without the pull begins at the folder',
      all.filter((run) => run !== pull),
      '/w/other',
      ['analyze', 'prune', 'evaluate'],
    ],
  ])('%s', (_, runs, of, expected) => expect(ids(runs, of)).toEqual(expected));

  it.each([
    ['of a model that nothing made', '/w/stranger', /^No run is left that says how/],
    ['of one that was only pulled', folder, /was only pulled; there is no way to save/],
  ])('is refused %s', (_, of, sentence) => {
    expect(() => wholeWay([pull], of, '/w/way')).toThrow(sentence);
  });

  it('ends where folders were written from each other', () => {
    const a = done({ kind: 'prune', model: '/w/b', rule: { kind: 'deepest', count: 1 }, out: '/w/a' }, '/w/a');
    const b = done({ kind: 'prune', model: '/w/a', rule: { kind: 'deepest', count: 1 }, out: '/w/b' }, '/w/b');
    expect(ids([a, b], '/w/b')).toEqual(['prune', 'prune-2']);
  });
});
