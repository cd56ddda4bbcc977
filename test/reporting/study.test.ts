// What the page of a study says, from a study in numbers that can be checked by head.
import { describe, expect, it } from 'vitest';
import type { Comparison, EvaluateReport, Score } from '../../server/recipes/evaluate/recipe';
import type { StudyReport, StudyVariant } from '../../server/recipes/study/recipe';
import { joinEvaluations } from '../../server/evaluation/joinEvaluations';
import { meanAccuracy } from '../../server/evaluation/meanAccuracy';
import { studyReading } from '../../server/evaluation/studyReading';
import { formatDropSet, isEmpty, ofBlocks } from '../../server/shared/dropSets';
import { studyCharts } from '../../server/reporting/studyCharts';
import { studyHtml } from '../../server/reporting/studyHtml';
import { studyMarkdown } from '../../server/reporting/studyMarkdown';
import { restrictedEvaluation } from '../../server/evaluation/restrictedEvaluation';
import { studyFiles } from '../../server/recipes/study/files';
import { madeStudy } from './madeStudy';
import { parseXml } from './xml';

const tasks = ['one', 'two', 'physics', 'law'];

/** An original and variants with the same difference in every task. */
function evaluationOf(deltas: Record<string, number>): EvaluateReport {
  const labels = ['base', ...Object.keys(deltas)];
  const all = [...tasks, 'mmlu'];
  const scores: Score[] = labels.flatMap((label, model) =>
    all.map((task, i) => ({
      ...{ model, task, metric: 'acc', stderr: 0.01, nItems: 100 },
      value: 0.5 + i / 100 + (deltas[label] ?? 0),
    })),
  );
  const comparisons: Comparison[] = Object.entries(deltas).flatMap(([variant, delta]) =>
    all.map((task) => ({
      ...{ task, metric: 'acc', base: 'base', variant, delta, pairedStderr: 0.03, interval95: null, mcnemarP: 0.01 },
      flipped: null,
      significant: task === 'one',
    })),
  );
  return {
    ...({ kind: 'evaluate', generation: null, warnings: [], items: null, versions: {} } as unknown as EvaluateReport),
    models: labels.map((label) => ({ label }) as EvaluateReport['models'][number]),
    tasks: tasks.map((task, i) => ({
      ...({ title: task.toUpperCase(), nItems: 100, files: [], metrics: ['acc'], nFewShot: 0 } as never as object),
      ...{ task, group: i > 1 ? 'mmlu' : null },
    })) as unknown as EvaluateReport['tasks'],
    groups: [{ group: 'mmlu', title: 'MMLU', version: 2, parent: null, tasks: ['physics', 'law'] }],
    scores,
    comparisons,
    timing: { elapsedMs: 1, loadMs: 0, compileMs: 0, tokenizeMs: 0, writeMs: 0, tokens: 0 },
    work: {
      ...{ nRequests: 1, nTokens: 1, nPaddedTokens: 1, nPlainTokens: 1, blockRuns: 1, headRuns: 1 },
      operations: 1,
      base: { blockRuns: 1, headRuns: 1, operations: 1 },
    },
    peakMemoryBytes: 1,
  };
}

const variant = (change: Partial<StudyVariant>): StudyVariant => ({
  ...{ id: 'v', label: 'v', methods: ['greedy'], count: 2, drop: ofBlocks([3, 4]), repair: 'none', healed: false },
  ...{ nParameters: 900_000, sizeBytes: 0, loss: null, healing: null, folder: null, model: null },
  ...change,
  without: change.drop && isEmpty(change.drop) ? '' : formatDropSet(change.drop ?? ofBlocks([3, 4])),
});
const loss = (costNats: number, costStandardError: number | null) => ({
  ...{ lossNats: 3 + costNats, standardError: 0.1, perplexity: Math.exp(3 + costNats), costNats, costStandardError },
});
const text = { files: [{ name: 'held-out.txt' }], nSequences: 8, tokensPerSequence: 512, start: 0 };
const variants = [
  variant({
    id: 'base',
    label: 'tiny',
    methods: [],
    count: 0,
    drop: ofBlocks([]),
    loss: loss(0, 0),
    model: 0,
    nParameters: 1e6,
  }),
  variant({ id: '2-greedy', label: 'greedy 2', loss: loss(0.4, 0.01), model: 1 }),
  variant({ id: '2-greedy-healed', label: 'greedy 2, healed', healed: true, loss: loss(0.1, 0.02), model: 2 }),
  variant({ id: '2-other', label: 'other 2', methods: ['other'], drop: ofBlocks([1, 2]), loss: loss(0.41, 0.02) }),
];
const report = {
  kind: 'study',
  model: { name: 'tiny', nBlocks: 5, nParameters: 1_000_000 },
  methods: { other: { unit: 'norm', of: 'block', paper: 'a paper' } },
  recipe: { methods: ['greedy', 'other'], counts: [2], evaluate: { items: { first: 0, end: 100 } }, healing: null },
  calibration: text,
  perplexity: text,
  variants,
  evaluation: {
    ...evaluationOf({ 'greedy 2': -0.02, 'greedy 2, healed': -0.1 }),
  },
  steps: [{ id: 'analyze', title: 'score', kind: 'analyze', elapsedMs: 1500, doneBefore: false }],
} as unknown as StudyReport;

describe('the page of a study', () => {
  it.each([
    '# tiny with fewer blocks',
    '| tiny |  | 1.0 M | 3.000 | 20.09 |',
    '| greedy | 3,4 | 0.9 M | 3.400 | 29.96 | +0.400 ± 0.020 | 3.100 | +0.100 ± 0.039 | 75 % |',
    '| other | 1,2 | 0.9 M | 3.410 | 30.27 | +0.410 ± 0.039 |  |  |  |',
    'Mean accuracy over ONE (acc), TWO (acc), MMLU (acc); items 0 to 99 of every task.',
    // Base (0.50 + 0.51 + 0.54) / 3; error sqrt(3) 0.03 / 3
    '| greedy | 3,4 | 0.9 M | 49.7 % | −2.0 (−5.4 to +1.4) | 41.7 % | −10.0 (−13.4 to −6.6) |',
    '| greedy 2, healed | 40.0 % ★ | 41.0 % | 44.0 % |',
    '| all |  | 1.5 |',
    '![A \\*picture\\*](charts/a.svg)\n\nof what',
  ])('has %s', (line) => {
    const chart = { name: 'a', title: 'A *picture*', caption: 'of what', svg: '', topic: 'loss' } as const;
    expect(studyMarkdown(report, [chart], ({ name }) => `charts/${name}.svg`)).toContain(line);
  });

  it('says how sure it is', () => {
    expect(studyReading(report)).toEqual([
      'Without 2 blocks and without healing, greedy 2 costs least (0.400 nats), 0.010 less than other 2: which is not sure on this text.',
      'Healing won back 75 % of the loss that leaving blocks out cost, in 1 variant.',
      'Without 2 blocks, greedy 2 has the highest mean accuracy: −2.0 points against the original, which its interval does not tell from nothing; that is no proof that nothing was lost. Being the best of 2, it is a little flattered.',
      '2 of 8 single differences to the original are significant after correction; the others are not shown to be none, only not shown to be there.',
    ]);
  });
});

describe('an evaluation of some models', () => {
  const joined = evaluationOf({ a: -0.1, b: 0.1, c: 0.2 });
  it('has their scores and differences, and no others', () => {
    const some = restrictedEvaluation(joined, [0, 3, 1]);
    expect(some.models.map(({ label }) => label)).toEqual(['base', 'c', 'a']);
    expect(some.scores.filter(({ task }) => task === 'one').map(({ model, value }) => [model, value])).toEqual([
      [0, 0.5],
      [2, 0.4],
      [1, 0.7],
    ]);
    expect(new Set(some.comparisons.map((it) => it.variant))).toEqual(new Set(['a', 'c']));
  });
});

const laptop = madeStudy();
const drawn = studyCharts(laptop);

describe('charts of a study', () => {
  it.each(drawn)('$name is well-formed and stands alone', ({ svg, title, caption }) => {
    const elements = parseXml(svg);
    expect(elements.find(({ tag }) => tag === 'title')!.text).toBe(title);
    expect(svg).not.toMatch(/<script|<image|<foreignObject|href|url\((?!#)|\bon\w+=/i);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(caption).toMatch(/interval/);
  });

  const lost = ['loss-by-count', 'healing'];
  const accurate = ['accuracy-by-count', 'accuracy-by-size'];
  const tried = ['benchmarks', 'benchmarks-difference', 'perplexity-lambada-openai'];
  const subjects = ['mmlu-subjects', 'mmlu-subjects-difference'];
  it.each<[string, StudyReport, string[]]>([
    ['everything', laptop, [lost[0]!, ...accurate, lost[1]!, ...tried, ...subjects]],
    ['losses alone', madeStudy({ measures: ['loss'] }), lost],
    ['tasks alone', madeStudy({ measures: ['tasks'], tasks: ['piqa'] }), [...accurate, ...tried.slice(0, 2)]],
    ['nothing healed', madeStudy({ healedAt: null, measures: ['loss'] }), lost.slice(0, 1)],
    ['a perplexity alone', madeStudy({ measures: ['tasks'], tasks: ['wikitext'] }), ['perplexity-wikitext']],
    ['one count, one method', madeStudy({ methods: ['greedy'], counts: [5], measures: ['loss'] }), lost],
    [
      'more subjects than the six',
      madeStudy({ measures: ['tasks'], tasks: ['piqa', 'mmlu_virology', 'mmlu_philosophy'] }),
      [...accurate, ...tried.slice(0, 2), ...subjects, 'mmlu-all', 'mmlu-all-difference'],
    ],
  ])('%s', (_, study, names) => {
    expect(studyCharts(study).map(({ name }) => name)).toEqual(names);
  });

  it('show tasks of the count at which variants are healed, each below the one that it began as', () => {
    const legend = (study: StudyReport) => {
      const { svg } = studyCharts(study).find(({ name }) => name === 'benchmarks')!;
      return parseXml(svg).flatMap(({ tag, text }) => (tag === 'text' ? [text] : []));
    };
    expect(legend(laptop)).toEqual(
      expect.arrayContaining(['SmolLM2-135M', 'greedy 5', 'greedy 5, healed', 'blockInfluence 5']),
    );
    expect(legend(laptop)).not.toContain('greedy 4');
    expect(legend(madeStudy({ healedAt: null }))).toContain('greedy 4');
  });

  it('leave out what is beyond numbers', () => {
    const endless = structuredClone(laptop);
    const far = { lossNats: Number.POSITIVE_INFINITY, costNats: Number.POSITIVE_INFINITY, costStandardError: null };
    for (const it of endless.variants.slice(3, 9)) Object.assign(it.loss!, far);
    for (const { svg } of studyCharts(endless)) expect(svg).not.toMatch(/NaN|Infinity/);
  });
});

const hostile = ['<b>&"\'', '</title><script>alert(1)</script>', '|*_`[x](javascript:1)', '__proto__', 'constructor'];

describe.each(hostile.map((name, k) => ({ name, k })))('hostile name $k', ({ name }) => {
  const named = madeStudy({ name, methods: ['greedy', name], counts: [2, 3], healedAt: 2, tasks: ['piqa', 'boolq'] });
  const files = studyFiles(named, 0);
  it('stays a name in charts and their file names', () => {
    const charts = Object.entries(files).filter(([path]) => path.startsWith('charts/'));
    expect(charts.length).toBeGreaterThan(5);
    for (const [path, svg] of charts) {
      expect(path).toMatch(/^charts\/[a-z0-9-]+\.svg$/);
      expect(parseXml(svg).map(({ tag }) => tag)).not.toContain('b');
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
  it('stays a name in HTML', () => {
    const html = files['report.html']!;
    expect(html).not.toMatch(/<script|<b>|<\/title><|(?!\n)\p{Cc}/u);
    expect(() => parseXml(html.replace(/^<!doctype html>\n/, '').replaceAll(/<meta [^>]*>/g, ''))).not.toThrow();
  });
  it('stays a name in Markdown', () => {
    const markdown = files['report.md']!;
    expect(markdown).not.toMatch(/<[a-z]|<\/|(?!\n)\p{Cc}|[^\\]\]\(javascript/u);
    const rows = markdown.split('\n').filter((line) => line.startsWith('| '));
    const cells = (line: string) => line.replaceAll(/\\./g, '').split('|').length;
    expect(new Set(rows.slice(0, 5).map(cells)).size).toBe(1);
  });
});

describe('files of a study', () => {
  it.each<[string, StudyReport, string[]]>([
    ['everything', laptop, ['recipe.yaml', 'report.html', 'report.json', 'report.md', 'results.json']],
    ['losses alone', madeStudy({ measures: ['loss'] }), ['recipe.yaml', 'report.html', 'report.json', 'report.md']],
  ])('of %s', (_, study, names) => {
    const files = studyFiles(study, 0);
    const charts = studyCharts(study).map(({ name }) => `charts/${name}.svg`);
    expect(Object.keys(files).sort()).toEqual([...charts, ...names].sort());
    for (const path of charts) expect(files['report.md']).toContain(`](${path})`);
    expect(files['report.html']!.match(/<svg /g)).toHaveLength(charts.length);
  });
  it('load and run nothing', () => {
    const html = studyHtml(laptop, drawn);
    expect(html).toContain("default-src 'none'; style-src 'unsafe-inline'");
    expect(html.replaceAll(/xmlns(:xlink)?="[^"]*"/g, '')).not.toMatch(
      /<script|https?:|<link|@import|url\((?!#)|\bsrc=|javascript:/i,
    );
  });
});

describe('joined evaluations', () => {
  it('have the original once, and every variant as it was', () => {
    const [one, other] = [evaluationOf({ a: -0.1 }), evaluationOf({ b: 0.1, c: 0.2 })];
    const joined = joinEvaluations([
      { report: one, labels: ['whole', 'A'] },
      { report: other, labels: ['whole', 'B', 'C'] },
    ]);
    expect(joined.models.map(({ label }) => label)).toEqual(['whole', 'A', 'B', 'C']);
    expect(joined.scores).toHaveLength(4 * 5);
    const differences = [1, 2, 3].map((model) => meanAccuracy(joined, model)!.difference!.delta);
    expect(differences.map((delta) => delta.toFixed(3))).toEqual(['-0.100', '0.100', '0.200']);
    expect(joined.comparisons.map(({ variant: of }) => of).filter((label, i, all) => all.indexOf(label) === i)).toEqual(
      ['A', 'B', 'C'],
    );
    expect(joined.warnings).toEqual([]);
    expect(joined.work.nTokens).toBe(2);
  });

  it('warn where the original got other numbers', () => {
    const other = evaluationOf({ b: 0 });
    const moved = { ...other, scores: other.scores.map((it) => ({ ...it, value: it.value + 0.01 })) };
    const labels = ['whole', 'A'];
    expect(
      joinEvaluations([
        { report: evaluationOf({ a: 0 }), labels },
        { report: moved, labels },
      ]).warnings,
    ).toEqual(['The original scored 0.5 and then 0.51 in one acc.']);
  });

  it('warn where the settings differ', () => {
    const other = evaluationOf({ b: 0 });
    const labels = ['whole', 'A'];
    const fewShot = { ...other, tasks: other.tasks.map((it) => ({ ...it, nFewShot: 5 })) };
    expect(
      joinEvaluations([
        { report: evaluationOf({ a: 0 }), labels },
        { report: fewShot, labels },
      ]).warnings.join(),
    ).toMatch(/the examples before each question differ \(0 and 5/);
  });
});
