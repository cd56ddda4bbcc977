// Pages and charts of an evaluation: what is in them, that names stay names, and that nothing is drawn without its data.
import { describe, expect, it } from 'vitest';
import { evaluationCharts } from '../../server/reporting/evaluationCharts';
import { planeChart, rowChart, type Series } from '../../server/reporting/chart';
import { stylesOf, palette, variantStyle, variantStyles } from '../../server/shared/styles';
import { recoveries } from '../../server/reporting/recovery';
import { reportHtml } from '../../server/reporting/reportHtml';
import { reportMarkdown } from '../../server/reporting/reportMarkdown';
import { primaryRows, scoreRows } from '../../server/reporting/scoreTable';
import { madeModels, madeReport, madeTasks } from '../evaluation/madeReport';
import { parseXml } from './xml';

const report = madeReport({ nItems: 30 });
const charts = evaluationCharts(report);
const chart = (name: string) => charts.find((it) => it.name === name)!;
const few = (names: string[]) =>
  madeReport({ nItems: 10, tasks: madeTasks.filter(({ task }) => names.includes(task)) });

describe('charts', () => {
  it.each(charts)('$name is well-formed and stands alone', ({ svg, title, caption }) => {
    const elements = parseXml(svg);
    expect(elements[0]).toMatchObject({ tag: 'svg', attributes: { role: 'img', xmlns: 'http://www.w3.org/2000/svg' } });
    expect(elements.find(({ tag }) => tag === 'title')!.text).toBe(title);
    expect(svg).not.toMatch(/<script|<image|<foreignObject|href|url\((?!#)|\bon\w+=/i);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(caption).toMatch(/interval/);
  });

  it.each<[string, string[], string[]]>([
    ['accuracy alone', ['piqa'], ['benchmarks', 'benchmarks-difference', 'accuracy-by-size']],
    ['perplexity alone', ['wikitext'], ['perplexity-wikitext']],
    [
      'subjects of the six',
      ['mmlu_philosophy', 'mmlu_machine_learning'],
      ['benchmarks', 'benchmarks-difference', 'mmlu-subjects', 'mmlu-subjects-difference', 'accuracy-by-size'],
    ],
    [
      'another subject',
      ['mmlu_virology'],
      ['benchmarks', 'benchmarks-difference', 'mmlu-all', 'mmlu-all-difference', 'accuracy-by-size'],
    ],
  ])('%s', (_, tasks, names) => {
    expect(evaluationCharts(few(tasks)).map(({ name }) => name)).toEqual(names);
  });

  it('one model has no differences', () => {
    const names = evaluationCharts(madeReport({ models: madeModels.slice(0, 1), nItems: 5 })).map(({ name }) => name);
    expect(names).toEqual([
      'benchmarks',
      'perplexity-lambada-openai',
      'perplexity-wikitext',
      'mmlu-subjects',
      'mmlu-all',
    ]);
  });

  it('has the same text each time', () => {
    expect(evaluationCharts(report)).toEqual(charts);
  });

  it('draws an interval for every score', () => {
    const lines = parseXml(chart('benchmarks').svg).filter(({ tag, attributes }) => {
      const colours: string[] = [palette.base, palette.pruned, palette.prunedDeep, palette.healed];
      return tag === 'path' && colours.includes(attributes.stroke!) && attributes.fill === 'none';
    });
    expect(lines).toHaveLength(9 * 4);
  });

  it('leaves out what is beyond numbers', () => {
    const endless = {
      ...report,
      scores: report.scores.map((it) => (it.model === 1 ? { ...it, value: Number.NaN, stderr: null } : it)),
    };
    for (const { svg } of evaluationCharts(endless)) {
      parseXml(svg);
      expect(svg).not.toContain('NaN');
    }
  });

  it.each([
    ['short', 'short'],
    ['attentionOutputNorm, blockInfluence 5, healed', 'attentionOutp…luence 5, healed'],
  ])('names a row %s as %s', (name, shown) => {
    const svg = rowChart({
      ...{ id: 'r', title: 't', rows: [name], axis: { name: 'nats' }, marks: 'bars', line: null },
      series: [{ name, ...variantStyles.pruned[0]!, points: [{ x: 0, y: 1, low: null, high: null }] }],
    });
    expect(parseXml(svg).map(({ text }) => text)).toContain(shown);
  });

  it('takes plain series, joined', () => {
    const series: Series[] = [0, 1].map((k) => ({
      name: `method ${k}`,
      ...variantStyles.pruned[k]!,
      points: [4, 5, 6, 7, 12].map((x) => ({ x, y: 40 - x - k, low: 35 - x, high: x === 5 ? null : 44 - x })),
    }));
    const svg = planeChart({
      id: 'study',
      title: 't',
      series,
      xAxis: { name: 'blocks' },
      yAxis: { name: '%' },
      joined: true,
    });
    expect(parseXml(svg).filter(({ tag }) => tag === 'polyline' || tag === 'path').length).toBeGreaterThan(20);
  });
});

describe('looks', () => {
  it.each(['pruned', 'healed'] as const)('of 36 %s models are all different', (kind) => {
    const looks = Array.from({ length: 36 }, (_, nth) => JSON.stringify(variantStyle(kind, nth)));
    expect(new Set(looks).size).toBe(36);
  });
  it('have no shape and no colour for both kinds', () => {
    const all = Object.values(variantStyles).flat();
    expect(new Set(all.map(({ shape }) => shape)).size).toBe(12);
    expect(new Set(all.map(({ colour }) => palette[colour])).size).toBe(12);
  });
  it('tell kinds and models apart without colour', () => {
    const looks = stylesOf([{}, {}, {}, {}].map((_, k) => ({ healed: k === 2 })));
    expect(looks.map(({ shape }) => shape)).toEqual(['cross', 'square', 'circle', 'triangle']);
    expect(looks.map(({ colour }) => colour)).toEqual(['base', 'pruned', 'healed', 'prunedDeep']);
  });
});

describe('rows', () => {
  it('come as tasks, then groups with what is in them', () => {
    const rows = primaryRows(report);
    expect(rows.slice(0, 13).map(({ task, depth }) => [task, depth])).toEqual([
      ...[
        'hellaswag',
        'arc_easy',
        'arc_challenge',
        'boolq',
        'piqa',
        'winogrande',
        'openbookqa',
        'lambada_openai',
        'wikitext',
      ].map((task) => [task, 0]),
      ['mmlu', 0],
      ['mmlu_stem', 1],
      ['mmlu_abstract_algebra', 2],
      ['mmlu_anatomy', 2],
    ]);
    expect(rows).toHaveLength(9 + 5 + 57);
    expect(scoreRows(report).length).toBeGreaterThan(rows.length);
  });
});

describe('recovery', () => {
  const row = primaryRows(report).find(({ task }) => task === 'wikitext')!;
  it('is the share of what pruning cost in nats, of a model beside its own cut', () => {
    const [base, pruned, healed] = [0, 1, 2].map((k) =>
      Math.log(k === 0 ? row.base.value : row.variants[k - 1]!.score.value),
    );
    const found = recoveries(report, row);
    expect([...found.keys()]).toEqual([2]);
    expect(found.get(2)).toBeCloseTo((pruned! - healed!) / (pruned! - base!), 9);
  });
  it('is not told where the pruned model is not there', () => {
    const alone = { ...report, models: report.models.map((it, k) => (k === 1 ? { ...it, removedBlocks: [3] } : it)) };
    expect(recoveries(alone, row).size).toBe(0);
  });
});

const hostile = [
  '<b>&"\'',
  '</title><script>alert(1)</script>',
  '|*_`[x](javascript:1)',
  '{a|b}\n\u0000\u001b[31m\ud800',
  '__proto__',
  'constructor',
];

describe.each(hostile.map((label, k) => ({ label, k })))('hostile name $k', ({ label }) => {
  const named = madeReport({
    nItems: 10,
    models: madeModels.map((it, k) => (k === 1 ? { ...it, label, name: label } : it)),
    tasks: madeTasks.slice(3, 5).map((it) => ({ ...it, title: `${it.title} ${label}` })),
    generation: [{ model: 1, prompt: label, text: label, nTokens: 3, repetition: 0, entropyBits: 1, alarm: true }],
  });
  const drawn = evaluationCharts({ ...named, warnings: [label] });
  it('stays a name in charts', () => {
    for (const { svg } of drawn) expect(parseXml(svg).map(({ tag }) => tag)).not.toContain('b');
  });
  it('changes nothing that all objects have', () => {
    expect(Object.keys(Object.prototype)).toEqual([]);
    for (const name in {}) throw new Error(`${name} was put on every object`);
  });
  it('stays a name in HTML', () => {
    const html = reportHtml({ ...named, warnings: [label] }, drawn);
    expect(html).not.toMatch(/<script|<b>|<\/title><|(?!\n)\p{Cc}/u);
    const withoutHead = html.replace(/^<!doctype html>\n/, '').replaceAll(/<meta [^>]*>/g, '');
    expect(() => parseXml(withoutHead)).not.toThrow();
  });
  it('stays a name in Markdown', () => {
    const markdown = reportMarkdown({ ...named, warnings: [label] }, drawn, ({ name }) => `charts/${name}.svg`);
    expect(markdown).not.toMatch(/<[a-z]|<\/|(?!\n)\p{Cc}|[^\\]\]\(javascript/u);
    const rows = markdown.split('\n').filter((line) => line.startsWith('| '));
    const cells = (line: string) => line.replaceAll(/\\./g, '').split('|').length;
    expect(new Set(rows.slice(0, 4).map(cells)).size).toBe(1);
  });
});

describe('the HTML page', () => {
  const html = reportHtml(report, charts);
  it('runs and loads nothing', () => {
    expect(html).toContain("default-src 'none'; style-src 'unsafe-inline'");
    expect(html.replaceAll(/xmlns(:xlink)?="[^"]*"/g, '')).not.toMatch(
      /<script|https?:|<link|@import|url\((?!#)|\bsrc=|javascript:/i,
    );
  });
  it('is well-formed, with every id once', () => {
    parseXml(html.replace(/^<!doctype html>\n/, '').replaceAll(/<meta [^>]*>/g, ''));
  });
  it('folds the long charts and the subjects', () => {
    expect(html.match(/<details>/g)).toHaveLength(3);
  });
  it('has all charts', () => {
    expect(html.match(/<svg /g)).toHaveLength(charts.length);
  });
});

describe('the Markdown page', () => {
  const markdown = reportMarkdown(report, charts, ({ name }) => `charts/${name}.svg`);
  it.each([
    ['warnings', /^> ⚠ Scored on the first 30 items/m],
    [
      'differences',
      /^\| HellaSwag \| acc\\_norm \| 0 \| 30 \| \d+\.\d % \| \d+\.\d % \| −\d+\.\d ± \d+\.\d(?: ▼)? \| \d+▾ \d+▴ \|/m,
    ],
    ['groups', /^\| &emsp;\*\*STEM\*\* \|/m],
    ['charts', /^!\[Benchmarks\]\(charts\/benchmarks\.svg\)$/m],
    ['settings', /^- Shots: 0 for 9 tasks, 5 for 57 tasks$/m],
    ['the harness’ table', /^\|mmlu +\| {6}2\|none {2}\| {5}5\|acc +\|↑ {2}\|/m],
  ])('has %s', (_, pattern) => expect(markdown).toMatch(pattern));
});
