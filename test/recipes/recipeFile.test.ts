// Recipe files: what is written is read back the same; what is wrong is shown where it is.
import { homedir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../server/errors';
import type { AskedRule, Budget, DropSet, TokenSource } from '../../server/protocol/recipes';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import type { StudyRecipe } from '../../server/recipes/study/recipe';
import { type FileRecipe, formatRecipe, parseRecipe } from '../../server/recipes/recipeFile';
import { refusal } from '../refusal';

const file = '/work/recipes/story.yaml';

const natural = fc.nat(99_999);
const positive = fc.integer({ min: 1, max: 1e9 });
const orNull = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null });
const name = fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' });
const path = fc
  .array(
    fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }).filter((part) => !/^\.{1,2}$|[/\0]/.test(part)),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((parts) => `/${parts.join('/')}`);
const blocks = fc.array(natural, { maxLength: 5 });
const dropSet: fc.Arbitrary<DropSet> = fc.record({ blocks, attention: blocks, mlp: blocks });
const source: fc.Arbitrary<TokenSource> = fc.oneof(
  fc.record({ kind: fc.constant('ids' as const), file: path }),
  fc.record(
    {
      kind: fc.constant('text' as const),
      files: fc.array(path, { minLength: 1, maxLength: 3 }),
      field: orNull(name),
      sequences: orNull(positive),
      atMost: fc.boolean(),
      tokens: positive,
      start: natural,
      bos: fc.constantFrom('none' as const, 'each' as const, 'tokenizer' as const),
      sampling: fc.constantFrom('consecutive' as const, 'random' as const),
      seed: natural,
    },
    { requiredKeys: ['kind', 'files', 'field', 'sequences', 'tokens', 'start', 'bos', 'sampling', 'seed'] },
  ),
);
const compute = fc.record({
  device: fc.constantFrom('cpu' as const, 'webgpu' as const, 'cuda' as const, 'auto' as const),
  memory: fc.constantFrom('auto' as const, 'resident' as const, 'streaming' as const),
  weights: fc.constantFrom('f32' as const, 'f16' as const, 'int8' as const, 'int4' as const),
  threads: orNull(fc.integer({ min: 1, max: 64 })),
  memoryLimitBytes: orNull(positive),
});
const choosing = fc.constantFrom('blockInfluence', 'angularDistance', 'greedy', 'removal');
const pieces = fc.constantFrom('channels' as const, 'blocks' as const);
const budget: fc.Arbitrary<Budget> = fc.oneof(
  fc.record({
    kind: fc.constant('fit' as const),
    bytes: positive,
    contextTokens: natural,
    cache: fc.constantFrom('f32' as const, 'f16' as const, 'int8' as const),
    pieces,
  }),
  fc.record({ kind: fc.constant('parameters' as const), parameters: positive, pieces }),
);
const rule: fc.Arbitrary<AskedRule> = fc.oneof(
  dropSet.map((drop) => ({ kind: 'chosen' as const, ...drop })),
  fc.record({
    kind: fc.constant('method' as const),
    method: choosing,
    count: fc.oneof(positive, budget),
    protected: blocks,
  }),
  fc.record({ kind: fc.constant('deepest' as const), count: fc.oneof(positive, budget), protected: blocks }),
);
const between = fc.double({ min: 0, max: 1, noNaN: true, minExcluded: true, maxExcluded: true });
const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const patterned = <T>(of: fc.Arbitrary<T>) =>
  fc.dictionary(fc.stringMatching(/^[a-z][a-z_.]{0,9}$/), of, { maxKeys: 3 });
const output = {
  out: path,
  dtype: orNull(fc.constantFrom('f32' as const, 'f16' as const, 'bf16' as const)),
  maxShardBytes: orNull(positive),
};
const training = {
  data: fc.record({
    files: fc.array(path, { minLength: 1, maxLength: 3 }),
    field: orNull(name),
    format: fc.constantFrom('auto' as const, 'text' as const, 'instructions' as const, 'messages' as const),
    tokens: fc.integer({ min: 2, max: 1e6 }),
    start: natural,
    bos: fc.constantFrom('none' as const, 'each' as const, 'tokenizer' as const),
    order: fc.constantFrom('sequential' as const, 'shuffled' as const),
    heldOutFraction: share,
    seed: natural,
  }),
  adapter: fc.record({
    rank: fc.integer({ min: 1, max: 65_536 }),
    alpha: between,
    targets: fc.array(name, { minLength: 1, maxLength: 4 }),
    blocks: fc.oneof(
      fc.constantFrom('all' as const, 'cutAdjacent' as const),
      fc.array(natural, { minLength: 1, maxLength: 5 }),
    ),
    rankPattern: patterned(fc.integer({ min: 1, max: 65_536 })),
    alphaPattern: patterned(between),
    rsLora: fc.boolean(),
    dropout: share,
    init: orNull(path),
  }),
  objective: fc.oneof(
    fc.record({ kind: fc.constant('nextToken' as const) }),
    fc.record({
      kind: fc.constant('distillation' as const),
      topK: fc.integer({ min: 1, max: 1e6 }),
      temperature: between,
    }),
  ),
  optimizer: fc.record({
    learningRate: between,
    schedule: fc.constantFrom('constant' as const, 'linear' as const, 'cosine' as const),
    warmupSteps: natural,
    beta1: share,
    beta2: share,
    epsilon: between,
    weightDecay: share,
    clipNorm: orNull(between),
  }),
  loop: fc.record({
    steps: positive,
    microBatchSequences: positive,
    accumulate: positive,
    evaluateEverySteps: positive,
    heldOut: orNull(source),
    patience: orNull(positive),
    saveEverySteps: positive,
    activations: fc.constantFrom('auto' as const, 'keep' as const, 'recompute' as const),
  }),
};
const heal: fc.Arbitrary<HealRecipe> = fc.record({
  kind: fc.constant('heal' as const),
  model: path,
  ...training,
  dense: orNull(path),
  resume: fc.boolean(),
  out: path,
  compute,
});
const task = fc.constantFrom('hellaswag', 'arc_easy', 'mmlu', 'mmlu_stem', 'mmlu_high_school_physics', 'wikitext');
const evaluation = {
  tasks: fc.array(task, { minLength: 1, maxLength: 3 }),
  data: orNull(path),
  items: orNull(fc.tuple(natural, positive).map(([first, n]) => ({ first, end: first + n }))),
  fewShot: orNull(fc.nat(100)),
  maxTokens: orNull(positive),
};
const repairs = fc.subarray(['none' as const, 'linear' as const], { minLength: 1 });
const methods = fc.subarray(['blockInfluence', 'angularDistance', 'greedy', 'removal', 'deepest'], { minLength: 1 });
const counts = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 4 });
const orAll = <T>(some: fc.Arbitrary<T>) => fc.oneof(fc.constant('all' as const), some);
const study: fc.Arbitrary<StudyRecipe> = fc.record({
  kind: fc.constant('study' as const),
  model: path,
  source,
  methods,
  counts,
  protected: blocks,
  repairs,
  healing: orNull(fc.record({ methods: orAll(methods), counts: orAll(counts), repairs: orAll(repairs), ...training })),
  evaluate: orNull(fc.record(evaluation)),
  perplexity: orNull(source),
  dtype: output.dtype,
  keepModels: fc.constantFrom('none' as const, 'healed' as const, 'all' as const),
  batchBytes: positive,
  out: path,
  compute,
});
const recipe: fc.Arbitrary<FileRecipe> = fc.oneof(
  heal,
  study,
  fc.record({
    kind: fc.constant('pull' as const),
    repository: fc.constantFrom('o/n', 'gpt2'),
    revision: fc.constantFrom('main', 'refs/pr/1'),
  }),
  fc.record({
    kind: fc.constant('pull' as const),
    revision: fc.constant('main'),
    tasks: fc.array(task, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('evaluate' as const),
    models: fc.array(path, { minLength: 1, maxLength: 3 }),
    drops: fc.array(dropSet, { maxLength: 2 }),
    ...evaluation,
    generate: fc.boolean(),
    samples: orNull(path),
    compute,
  }),
  fc.record({ kind: fc.constant('merge' as const), model: path, adapter: path, ...output, compute }),
  fc.record({
    kind: fc.constant('publish' as const),
    model: path,
    original: orNull(path),
    reports: fc.array(path, { maxLength: 2 }),
    texts: fc.array(path, { maxLength: 2 }),
    prose: orNull(path),
    base: orNull(fc.constant('o/base')),
    license: orNull(fc.constant('mit')),
    languages: fc.array(fc.constantFrom('en', 'de'), { maxLength: 2 }),
    datasets: fc.array(fc.constant('o/texts'), { maxLength: 1 }),
    newVersion: orNull(fc.constant('o/newer')),
    registered: fc.array(fc.constantFrom('mmlu', 'arc_easy=ARC-Easy'), { maxLength: 2 }),
    card: fc.constantFrom('made' as const, 'folder' as const),
    words: orNull(fc.string({ maxLength: 50, unit: 'grapheme' })),
    repository: fc.constantFrom('o/n', 'some.one/Model-1.5'),
    branch: fc.constantFrom('main', 'v/2'),
    visibility: fc.constantFrom('private' as const, 'public' as const),
    tag: orNull(fc.constant('v1.0')),
    collection: orNull(fc.constantFrom('Pruned models', 'o/pruned-0123456789abcdef01234567')),
    dryRun: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('analyze' as const),
    model: path,
    source,
    methods: fc.array(fc.constantFrom('all', 'none', 'blockInfluence', 'taylor'), { maxLength: 4 }),
    measure: fc.record({
      removals: fc.constantFrom('none' as const, 'blocks' as const, 'sublayers' as const),
      greedy: orNull(
        fc.record({
          count: positive,
          of: fc.constantFrom('blocks' as const, 'sublayers' as const),
          racingConfidence: orNull(between),
          protected: blocks,
        }),
      ),
      suggestions: fc.nat(100),
      whatIf: fc.array(dropSet, { maxLength: 2 }),
    }),
    stay: fc.boolean(),
    compute,
  }),
  fc.record({
    kind: fc.constant('prune' as const),
    model: path,
    rule,
    source: orNull(source),
    repair: orNull(
      fc.record({
        kind: fc.constant('linear' as const),
        ridge: fc.oneof(fc.constant('auto' as const), between),
        heldOutSequences: orNull(positive),
      }),
    ),
    ...output,
    mergekit: orNull(path),
    compute,
  }),
);

describe('a recipe file', () => {
  it('gives back the recipe that it was written from', () => {
    fc.assert(
      fc.property(recipe, (recipe) => {
        expect(parseRecipe(formatRecipe(recipe), file)).toEqual(recipe);
      }),
      { numRuns: 500 },
    );
  });

  it('fills in what is left out, and takes paths from where it lies', () => {
    const text = 'kind: analyze\nmodel: ../models/tiny\nsource: { kind: text, files: [a.txt, /data/b.txt] }\n';
    expect(parseRecipe(text, file)).toEqual({
      kind: 'analyze',
      model: '/work/models/tiny',
      source: {
        kind: 'text',
        files: ['/work/recipes/a.txt', '/data/b.txt'],
        field: null,
        sequences: 16,
        atMost: true,
        tokens: 512,
        start: 0,
        bos: 'none',
        sampling: 'consecutive',
        seed: 0,
      },
      methods: ['all'],
      measure: { removals: 'none', greedy: null, suggestions: 0, whatIf: [] },
      stay: false,
      compute: { device: 'auto', memory: 'auto', weights: 'f32', threads: null, memoryLimitBytes: null },
    });
    const pruning = parseRecipe(
      'kind: prune\nmodel: m\nrule: {kind: chosen, blocks: [1]}\nout: o\nmergekit: k.yaml',
      file,
    );
    expect(pruning).toMatchObject({
      model: '/work/recipes/m',
      out: '/work/recipes/o',
      mergekit: '/work/recipes/k.yaml',
      rule: { kind: 'chosen', blocks: [1], attention: [], mlp: [] },
      source: null,
      repair: null,
    });
  });

  it('of a healing needs a model, a text and a place', () => {
    expect(parseRecipe('kind: heal\nmodel: m\ndata: { files: [t.txt] }\nout: o', file)).toEqual({
      kind: 'heal',
      model: '/work/recipes/m',
      data: {
        files: ['/work/recipes/t.txt'],
        field: null,
        format: 'auto',
        tokens: 256,
        start: 0,
        bos: 'none',
        order: 'shuffled',
        heldOutFraction: 0.05,
        seed: 0,
      },
      adapter: {
        rank: 8,
        alpha: 16,
        targets: ['all-linear'],
        blocks: 'all',
        rankPattern: {},
        alphaPattern: {},
        rsLora: false,
        dropout: 0,
        init: null,
      },
      objective: { kind: 'nextToken' },
      optimizer: {
        learningRate: 5e-4,
        schedule: 'linear',
        warmupSteps: 10,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0,
        clipNorm: 1,
      },
      loop: {
        steps: 100,
        microBatchSequences: 4,
        accumulate: 1,
        evaluateEverySteps: 25,
        heldOut: null,
        patience: null,
        saveEverySteps: 25,
        activations: 'auto',
      },
      dense: null,
      resume: false,
      out: '/work/recipes/o',
      compute: { device: 'auto', memory: 'auto', weights: 'f32', threads: null, memoryLimitBytes: null },
    });
  });

  it('takes every path of a healing and a merge from where it lies', () => {
    const healing = parseRecipe(
      'kind: heal\nmodel: m\ndata: { files: [t] }\nout: o\ndense: ../d\nadapter: { init: i }\n' +
        'loop: { heldOut: { kind: text, files: [h] } }\nobjective: { kind: distillation }',
      file,
    );
    expect(healing).toMatchObject({
      dense: '/work/d',
      adapter: { init: '/work/recipes/i' },
      loop: { heldOut: { files: ['/work/recipes/h'], sequences: 16, atMost: true } },
      objective: { kind: 'distillation', topK: 32, temperature: 1 },
    });
    expect(parseRecipe('kind: merge\nmodel: m\nadapter: a\nout: o', file)).toMatchObject({
      model: '/work/recipes/m',
      adapter: '/work/recipes/a',
      out: '/work/recipes/o',
      dtype: null,
    });
  });

  it.each(['---\n', '# a comment\n---\n', '%YAML 1.2\n---\n'])('may begin with %j and end with marks', (beginning) => {
    const text = 'kind: merge\nmodel: m\nadapter: a\nout: o\n';
    for (const end of ['', '---\n', '...\n', '---\n# nothing more\n'])
      expect(parseRecipe(beginning + text + end, file)).toEqual(parseRecipe(text, file));
  });

  it('takes ~ for the folder of the user, and only at the beginning', () => {
    expect(parseRecipe('kind: merge\nmodel: ~/m\nadapter: a/~/b\nout: ~o', file)).toMatchObject({
      model: join(homedir(), 'm'),
      adapter: '/work/recipes/a/~/b',
      out: '/work/recipes/~o',
    });
  });

  const base = 'kind: analyze\nmodel: m\nsource: { kind: ids, file: i }\n';
  const evaluate = 'kind: evaluate\nmodels: [m]\ndata: d\n';
  const study = 'kind: study\nmodel: m\nout: o\nsource: { kind: ids, file: i }\ncounts: [1]\n';
  const heal = 'kind: heal\nmodel: m\nout: o\ndata: { files: [t] }\n';
  it.each([
    ['', '1:1', 'A recipe is a list of fields'],
    ['- 1', '1:1', 'A recipe is a list of fields'],
    [
      'kind: sparsify',
      '1:7',
      'A recipe begins with kind: pull, analyze, prune, heal, merge, evaluate, export, study, pipeline or publish.',
    ],
    [
      'model: m',
      '1:1',
      'A recipe begins with kind: pull, analyze, prune, heal, merge, evaluate, export, study, pipeline or publish.',
    ],
    ['kind: pull', '1:1', 'A recipe is a list of fields: a pull has a repository or tasks, and not both.'],
    ['kind: pull\nrepository: o/n\ntasks: [piqa]', '1:1', 'A recipe is a list of fields: a pull has a repository or'],
    ['kind: pull\ntasks: [piqa]\nrevision: v1', '1:1', 'A recipe is a list of fields: a revision is that of a repos'],
    ['kind: pull\ntasks: [piqua]', '2:9', 'There is no task piqua; the nearest is piqa.'],
    [`${base}modell: n`, '4:1', 'There is no field modell in a recipe of this kind; did you mean model?'],
    [`${base}compute:\n  treads: 2`, '5:3', 'There is no field treads in compute; did you mean threads?'],
    [`${base}compute:\n  threads: two`, '5:12', 'compute.threads is not right'],
    [`${base}measure: { removals: all }`, '4:22', 'measure.removals is not right'],
    [`${base}methods: [all, 3]`, '4:16', 'methods.1 is not right'],
    [`${base}model: n`, '4:1', 'Map keys must be unique'],
    [`${base}  stay: [`, '4:1', 'All mapping items must start at the same column'],
    ['kind: analyze\nmodel: m', '1:1', 'source is not right'],
    ['kind: prune\nmodel: m\nout: o\nrule: { kind: chosen, blocks: [-1] }', '4:32', 'rule.blocks.0 is not right'],
    ['kind: heal\nmodel: m\nout: o', '1:1', 'data is not right'],
    [`${heal}adapter: { rank: 0 }`, '5:18', 'adapter.rank is not right'],
    [`${heal}adapter: { dropout: 1 }`, '5:21', 'adapter.dropout is not right'],
    [`${heal}adapter: { blocks: some }`, '5:20', 'adapter.blocks is not right'],
    [`${heal}adapter: { targets: [] }`, '5:21', 'adapter.targets is not right'],
    [`${heal}adapter: { rankPattern: { q_proj: 0.5 } }`, '5:35', 'adapter.rankPattern.q_proj is not right'],
    [`${heal}optimizer: { beta1: 1 }`, '5:21', 'optimizer.beta1 is not right'],
    [`${heal}optimizer: { learningRate: 0 }`, '5:28', 'optimizer.learningRate is not right'],
    [`${heal}optimizer: { clipNorm: 0 }`, '5:24', 'optimizer.clipNorm is not right'],
    [`${heal}optimizer: { schedule: step }`, '5:24', 'optimizer.schedule is not right'],
    [`${heal}loop: { steps: -1 }`, '5:16', 'loop.steps is not right'],
    [`${heal}loop: { stepz: 1 }`, '5:9', 'There is no field stepz in loop; did you mean steps?'],
    [`${heal}objective: { kind: hinge }`, '5:20', 'objective.kind is not right'],
    ['kind: heal\nmodel: m\nout: o\ndata: { files: [t], heldOutFraction: 1 }', '4:38', 'data.heldOutFraction is not'],
    ['kind: heal\nmodel: m\nout: o\ndata: { files: [] }', '4:16', 'data.files is not right'],
    ['kind: merge\nmodel: m\nout: o', '1:1', 'adapter is not right'],
    [
      `${base}methods: [all, blokInfluence]`,
      '4:16',
      'There is no method blokInfluence; the nearest is blockInfluence.',
    ],
    [
      'kind: prune\nmodel: m\nout: o\nrule: { kind: method, method: gredy, count: 1 }',
      '4:31',
      'There is no method gredy; the nearest is greedy.',
    ],
    [`${evaluate}tasks: [hellaswog]`, '4:9', 'There is no task hellaswog; the nearest is hellaswag.'],
    [`${evaluate}tasks: []`, '4:8', 'tasks is not right: it names no task'],
    [`${evaluate}tasks: [piqa]\nitems: { first: 5, end: 5 }`, '5:8', 'items is not right: it holds no item'],
    [`${evaluate}tasks: [piqa]\nitems: 100`, '5:8', 'items is not right'],
    [
      `${study}methods: [greedy, angulardistance]`,
      '6:19',
      'There is no method angulardistance; the nearest is angular',
    ],
    [`${study}methods: []`, '6:10', 'methods is not right: it names no method'],
    [`${study}methods: [greedy, greedy]`, '6:10', 'methods is not right: it names a method twice'],
    [`${study}methods: [greedy]\nrepairs: []`, '7:10', 'repairs is not right: it names no repair'],
    [`${study}methods: [greedy]\nrepairs: [cubic]`, '7:11', 'repairs.0 is not right'],
    [
      `${study}methods: [greedy]\nhealing: { methods: [gredy], data: { files: [t] } }`,
      '7:22',
      'There is no method gredy',
    ],
    [`${study}methods: [greedy]\nevaluate: { tasks: [boolqq], data: d }`, '7:21', 'There is no task boolqq; the near'],
    [`${study}methods: [greedy]\nkeepModels: some`, '7:13', 'keepModels is not right'],
    ['kind: studie\nmodel: m', '1:7', 'There is no kind of recipe studie; did you mean study?'],
    ['kind: eval\nmodel: m', '1:7', 'There is no kind of recipe eval; did you mean evaluate?'],
    [
      'kind: quantize\nmodel: m',
      '1:7',
      'A recipe begins with kind: pull, analyze, prune, heal, merge, evaluate, export, study, pipeline or publish.',
    ],
    [`${base}---\n${base}`, '5:1', 'A recipe file holds one recipe, and this one has 2, set apart by ---; give each a'],
    [`--- # first\n${base}...\n---\nkind: [`, '7:1', 'A recipe file holds one recipe, and this one has 2, set'],
    [
      `${heal}loop: { heldOut: { kind: text, files: [h], sequence: 1 } }`,
      '5:44',
      'There is no field sequence in loop.heldOut',
    ],
    ['kind: &a analyze\nmodel: *b', '2:8', 'Unresolved alias'],
    ['kind: !!js/function x', '1:21', 'A recipe begins with'],
  ])('%j is refused at %s', (text, place, what) => {
    const told = refusal(() => parseRecipe(text, file));
    expect(told).toMatch(/^usage: /);
    expect(told).toContain(`${file}:${place}: ${what}`);
  });

  it('cannot be blown up by aliases', () => {
    const lines = Array.from({ length: 20 }, (_, i) => `a${i}: &a${i} [${i ? `*a${i - 1}, *a${i - 1}` : '1'}]`);
    expect(refusal(() => parseRecipe(lines.join('\n'), file))).toMatch(/^usage: /);
  });

  it('holds no other kinds', () => {
    const told = refusal(() => formatRecipe({ kind: 'inspect', model: join('/', 'm') }));
    expect(told).toBe(
      'usage: A recipe file holds pull, analyze, prune, heal, merge, evaluate, export, study, pipeline or publish, not inspect.',
    );
  });
});

describe('the depth of a recipe', () => {
  const within = (nLevels: number, open: string) => `a: ${open.repeat(nLevels)}!!int x`;
  it.each([
    [200, '['],
    [3000, '['],
    [200, '{a: '],
    [20_000, '!a ['],
  ])('is refused at %i levels of %j', (nLevels, open) =>
    expect(refusal(() => parseRecipe(within(nLevels, open), file))).toBe(
      `overLimit: ${file} is nested more than 100 levels deep; write the recipe with fewer levels.`,
    ),
  );
  it('is not what is wrong with a file of 50 levels', () =>
    expect(refusal(() => parseRecipe(`${within(50, '[')}${']'.repeat(50)}`, file))).toMatch(/^usage: /));
});

describe('a recipe that would take long', () => {
  const rows: [what: string, text: string][] = [
    ['many keys', Array.from({ length: 20_000 }, (_, i) => `k${i}: b\n`).join('')],
    ['many anchors', '&a '.repeat(30_000)],
    ['many tags', '!a '.repeat(30_000)],
    ['many aliases', '*a '.repeat(30_000)],
    ['many ends of lists', '] '.repeat(30_000)],
    ['deep lists', '['.repeat(10_000)],
    ['deep maps', '{a: '.repeat(10_000)],
    ['deep entries', '- '.repeat(30_000)],
    ['many quotes', '"'.repeat(60_000)],
  ];
  it.each(rows)('is refused within 2 s: %s', (_, text) => {
    const before = process.cpuUsage();
    expect(() => parseRecipe(text, 'a')).toThrow(UserError);
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(2);
  });
});
