// What the page of an evaluation makes of reports: rows, names, differences, order, and the tables for others.
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EvaluationRun, EvaluationView } from '../../server/protocol/pages/evaluate';
import type { EvaluatedModel, EvaluateReport } from '../../server/recipes/evaluate/recipe';
import { columnsOf } from '../../webview/evaluate/columns';
import { csvOf, jsonOf, markdownOf } from '../../webview/evaluate/exports';
import { differencesBetween } from '../../webview/evaluate/mismatch';
import { mismatchNotes } from '../../webview/evaluate/mismatchNotes';
import { nextSort, shownRows } from '../../webview/evaluate/order';
import { plotScale } from '../../webview/evaluate/plot';
import { allRows, type Row, rowsOf } from '../../webview/evaluate/table';
import { mmluChoiceOf, taskChoices, withMmlu, withTask } from '../../webview/evaluate/tasks';
import { tableViewOf } from '../../webview/evaluate/view';
import { differenceText, valueText } from '../../webview/evaluate/words';
import {
  evaluated,
  evaluatedInPart,
  evaluatedModels,
  evaluatedOtherwise,
  evaluationRecipe,
  evaluationReport,
  evaluationState,
  wholeMmlu,
  withoutHealed,
} from './harness/evaluation';

const view: EvaluationView = { sort: null, filter: '', significant: false, opened: {} };
const table = (...runs: EvaluationRun[]) => rowsOf(columnsOf(runs));
const withReport = (change: Partial<EvaluateReport>) => evaluated({ report: evaluationReport({}, change) });
const row = (rows: readonly Row[], key: string) => allRows(rows).find((it) => it.key === key)!;

it('says of a variant that is not finite that it is, in every task, group and mean', () => {
  for (const each of allRows(table(withoutHealed()))) {
    const [pruned, healed] = each.cells;
    expect(pruned!.value.state, each.key).toBe('known');
    expect(healed!.value.state, each.key).toBe('notFinite');
    expect(valueText(each, healed!.value)).toBe('–');
    expect(differenceText(each, healed!.difference, healed!.value)).toBe('not finite');
  }
});
const pageOf = (run: EvaluationRun, some: Partial<EvaluationView> = {}, beside: EvaluationRun[] = []) =>
  tableViewOf({
    host: evaluationState({ kind: 'run', evaluation: run, beside }, { view: { ...view, ...some } }),
    current: null,
    detailed: [],
    copied: false,
    failure: null,
    written: null,
    busy: false,
  })!;

describe('columns', () => {
  const [base, pruned, healed] = evaluatedModels as [EvaluatedModel, EvaluatedModel, EvaluatedModel];
  const none = { blocks: [], attention: [], mlp: [] };
  it.each<{ what: string; models: EvaluatedModel[]; names: string[] }>([
    { what: 'by what they lack', models: [pruned, healed], names: ['Without 12–16', 'Healed'] },
    {
      what: 'by what is left out without being written',
      models: [{ ...base, label: 'a', drop: { blocks: [3, 4], attention: [], mlp: [7] } }],
      names: ['Without 3–4 + MLP of 7'],
    },
    {
      what: 'by both',
      models: [{ ...pruned, label: 'a', drop: { ...none, blocks: [2] } }],
      names: ['Without 12–16, then 2'],
    },
    { what: 'by its name, where nothing is lacking', models: [{ ...base, name: 'twin' }], names: ['twin'] },
    {
      what: 'at length, where two would be called the same',
      models: [pruned, { ...pruned, label: 'b', name: 'repaired' }, healed, { ...healed, removedBlocks: [1] }],
      names: [
        'Without 12–16, SmolLM2-135M-pruned',
        'Without 12–16, repaired',
        'Healed, without 12–16',
        'Healed, without 1',
      ],
    },
    {
      what: 'by their labels, where nothing else tells them apart',
      models: [healed, { ...healed, label: 'again' }],
      names: ['SmolLM2-135M-healed', 'again'],
    },
  ])('are called $what', ({ models, names }) => {
    const columns = columnsOf([withReport({ models: [base, ...models] })]);
    expect(columns.map(({ name }) => name)).toEqual(['Original', ...names]);
  });

  it('have a shape of their own among those of their colour', () => {
    const models = [base, ...[1, 2, 3].map((i) => ({ ...pruned, label: `${i}` })), healed, { ...healed, label: 'h' }];
    const shapes = columnsOf([withReport({ models })]).map(({ shape }) => shape);
    expect(shapes.slice(1)).toEqual(['square', 'triangle', 'diamond', 'circle', 'triangleDown']);
  });

  it('are none while no model is known', () => {
    expect(columnsOf([evaluated({ report: null })])).toEqual([]);
  });
});

describe('rows', () => {
  it('are tasks, groups with their tasks, the mean, and what is no share of right answers', () => {
    const rows = table(evaluated());
    expect(rows.map(({ key }) => key)).toEqual([
      ...['hellaswag', 'arc_easy', 'arc_challenge', 'boolq', 'piqa', 'winogrande', 'openbookqa', 'lambada_openai'],
      ...['mmlu', 'mean', 'wikitext'],
    ]);
    expect(row(rows, 'mmlu').children).toHaveLength(6);
  });

  it('have the number that people quote, in percent, with points between', () => {
    const { base, cells, metric } = row(table(evaluated()), 'hellaswag');
    expect(metric).toBe('acc_norm');
    expect(base).toMatchObject({ state: 'known', value: 45, nItems: 40 });
    const { difference } = cells[0]!;
    if (difference.state !== 'known') throw new Error('no difference');
    expect(difference.delta).toBeCloseTo(-7.5, 9);
    expect(difference.interval![1]).toBeCloseTo(5.4, 9);
  });

  it.each([
    { key: 'boolq', sure: true, verdict: 'better' },
    { key: 'openbookqa', sure: true, verdict: null },
    { key: 'lambada_openai', sure: true, verdict: 'worse' },
    { key: 'hellaswag', sure: false, verdict: null },
    // Of a perplexity more is worse.
    { key: 'wikitext', sure: true, verdict: 'worse' },
  ])('$key is marked $verdict', ({ key, sure, verdict }) => {
    expect(row(table(evaluated()), key).cells[0]!.difference).toMatchObject({ sure, verdict });
  });

  it('have a mean whose error is that of questions drawn apart', () => {
    const { base, cells } = row(table(evaluated()), 'mean');
    // The mean of the eight, and the root of the sum of the squared halves over eight.
    expect(base).toMatchObject({ value: (45 + 40 + 30 + 25 + 67.5 + 47.5 + 37.5 + 32.5) / 8, nItems: 320 });
    const halves = [12.9, 12.2, 9.9, 16.8, 12.1, 17.5, 13.2, 13.6];
    const half = Math.sqrt(halves.reduce((sum, each) => sum + each ** 2, 0)) / 8;
    const { difference } = cells[0]!;
    if (difference.state !== 'known') throw new Error('no difference');
    expect(difference.delta).toBeCloseTo(-1.875, 9);
    expect(difference.interval![1] - difference.delta).toBeCloseTo(half, 9);
  });

  it('of a run that goes on are partial or wait, and the mean waits for all', () => {
    const rows = table(evaluatedInPart());
    expect(row(rows, 'piqa').base.state).toBe('known');
    expect(row(rows, 'winogrande').base).toEqual({ state: 'partial', nItems: 22, ofItems: 40 });
    expect(row(rows, 'openbookqa').base.state).toBe('waiting');
    expect(row(rows, 'mean').base.state).toBe('waiting');
  });
});

describe('what was scored otherwise', () => {
  const [base, variant] = columnsOf([evaluated({ report: evaluationReport({ variants: [1] }) })]);
  const [task] = evaluationReport().tasks;
  const other = (change: Partial<EvaluatedModel>) => ({ ...variant!, model: { ...variant!.model, ...change } });
  it.each([
    { what: 'nothing', column: variant!, own: task!, found: [] },
    { what: 'shots', column: variant!, own: { ...task!, nFewShot: 5 }, found: ['shots'] },
    { what: 'version', column: variant!, own: { ...task!, version: 2 }, found: ['version'] },
    {
      what: 'data',
      column: variant!,
      own: { ...task!, files: [{ name: 'a', sha256: 'b', sizeBytes: 1 }] },
      found: ['data'],
    },
    { what: 'precision', column: other({ dtype: 'f16' }), own: task!, found: ['precision'] },
    { what: 'length', column: other({ maxTokens: 2048 }), own: task!, found: ['length'] },
    { what: 'tokenizer', column: other({ tokenizerSha256: 'x' }), own: task!, found: ['tokenizer'] },
    { what: 'items', column: columnsOf([evaluatedOtherwise()])[1]!, own: task!, found: ['items'] },
  ])('is found: $what', ({ column, own, found }) => {
    expect(differencesBetween(base!, column, task!, own).map(({ what }) => what)).toEqual(found);
  });

  it('is found where another run began elsewhere, or had another base', () => {
    const elsewhere = evaluated({ recipe: evaluationRecipe({ items: { first: 40, end: 80 } }) });
    const [, column] = columnsOf([elsewhere]);
    expect(differencesBetween(base!, column!, task!, task!)).toEqual([
      { what: 'items', base: 'on 40', variant: 'on 40 from 40 on' },
    ]);
    const models = [{ ...evaluatedModels[0]!, name: 'other', nBlocks: 12 }, evaluatedModels[1]!];
    const [, strange] = columnsOf([withReport({ models })]);
    expect(differencesBetween(base!, strange!, task!, task!).map(({ what }) => what)).toEqual(['base']);
  });

  it('is said in a sentence for each kind, and its difference is left out, in groups and the mean, too', () => {
    const runs = [evaluated({ report: evaluationReport({ variants: [1] }) }), evaluatedOtherwise()];
    const columns = columnsOf(runs);
    const rows = rowsOf(columns);
    expect(mismatchNotes(rows, columns)).toEqual([
      {
        lead: 'HellaSwag, ARC easy and 6 more tasks were scored on different questions: ',
        rest: 'original on 40, Healed on 80.',
      },
    ]);
    expect(row(rows, 'mean').cells.map(({ difference }) => difference.state)).toEqual(['known', 'differs']);
    expect(row(rows, 'wikitext').cells[1]!.difference.state).toBe('known');
    const halved = [evaluatedModels[0]!, { ...evaluatedModels[1]!, dtype: 'f16' }, evaluatedModels[2]!];
    const all = columnsOf([withReport({ models: halved })]);
    expect(mismatchNotes(rowsOf(all), all)).toEqual([
      { lead: 'All tasks were scored in different precision: ', rest: 'original bf16, Without 12–16 f16.' },
    ]);
    expect(row(rowsOf(all), 'mmlu').cells.map(({ difference }) => difference.state)).toEqual(['differs', 'known']);
  });
});

describe('the order of rows', () => {
  const keys = (some: Partial<EvaluationView>, run = evaluated()) =>
    shownRows(table(run), { ...view, ...some }).map((it) => it.row.key);

  it('moves tasks alone, and within their group', () => {
    const sorted = keys({ sort: { by: 'difference', variant: 0, descending: true } });
    expect(sorted.slice(0, 3)).toEqual(['boolq', 'winogrande', 'arc_easy']);
    expect(sorted.slice(8, 10)).toEqual(['mmlu', 'mmlu_philosophy']);
    expect(sorted.slice(-2)).toEqual(['mean', 'wikitext']);
  });

  it('puts what has no number last, whichever way', () => {
    for (const descending of [false, true])
      expect(
        keys({ sort: { by: 'base', variant: 0, descending } }, evaluatedInPart())
          .slice(5, 8)
          .sort(),
      ).toEqual(['lambada_openai', 'openbookqa', 'winogrande']);
  });

  it('closes a large group and opens a small one, until a person says otherwise', () => {
    expect(keys({}).includes('mmlu_philosophy')).toBe(true);
    expect(keys({ opened: { mmlu: false } }).includes('mmlu_philosophy')).toBe(false);
    expect(keys({}, wholeMmlu())).toHaveLength(10);
    expect(keys({ opened: { mmlu: true } }, wholeMmlu())).toHaveLength(14);
    expect(keys({ opened: { mmlu: true, mmlu_stem: true } }, wholeMmlu())).toHaveLength(14 + 15);
  });

  it('finds by name and by title, also in closed groups', () => {
    expect(keys({ filter: ' Subject 5', opened: { mmlu: false } }, wholeMmlu())).toHaveLength(8);
    expect(keys({ filter: 'mmlu_stem' }, wholeMmlu())).toEqual(['mmlu_stem']);
    expect(keys({ significant: true })).toEqual(['boolq', 'lambada_openai', 'wikitext']);
  });

  it('goes up, down and back when a heading is pressed', () => {
    const up = nextSort(null, 'value', 1);
    const down = nextSort(up, 'value', 1);
    expect([up, down, nextSort(down, 'value', 1)]).toEqual([
      { by: 'value', variant: 1, descending: false },
      { by: 'value', variant: 1, descending: true },
      null,
    ]);
    expect(nextSort(down, 'value', 0)).toEqual({ by: 'value', variant: 0, descending: false });
  });
});

describe('the axis of the plots', () => {
  it('holds every interval and has round marks', () => {
    const scale = plotScale(table(evaluated()));
    expect(scale.marks).toEqual([-40, -20, 0, 20, 40]);
    expect(scale.reach).toBeGreaterThan(41.8);
    expect([scale.place(0), scale.place(-999), scale.place(999)]).toEqual(['50.00%', '0.00%', '100.00%']);
  });
  it('is there without any difference', () => {
    expect(plotScale([]).marks).toContain(0);
  });
});

describe('for others', () => {
  const named = (text: string) =>
    pageOf(withReport({ models: evaluatedModels.map((model, i) => ({ ...model, name: text, label: `${text}${i}` })) }));

  it('CSV has a line for every task, metric and model, with all settings that numbers depend on', () => {
    const lines: Record<string, string>[] = parse(csvOf(pageOf(evaluated())), { columns: true });
    // Five tasks with two metrics, LAMBADA with two, two with one, six subjects and their group, WikiText.
    expect(lines).toHaveLength(3 * (5 * 2 + 2 + 2 + 6 + 1 + 1));
    expect(lines.find((it) => it.task === 'boolq' && it.model === 'SmolLM2-135M-pruned')).toMatchObject({
      metric: 'acc',
      value: '0.5',
      base_value: '0.25',
      delta: '0.25',
      n_items: '40',
      n_items_of_task: '1000',
      significant_holm: 'true',
      comparable: 'true',
      removed_blocks: '12 13 14 15 16',
    });
  });

  it('CSV leaves out the difference of what cannot be compared', () => {
    const run = evaluated({ report: evaluationReport({ variants: [1] }) });
    const lines: Record<string, string>[] = parse(csvOf(pageOf(run, {}, [evaluatedOtherwise()])), { columns: true });
    expect(lines.find((it) => it.task === 'boolq' && it.healed === 'true')).toMatchObject({
      value: '0.45',
      n_items: '80',
      delta: '',
      comparable: 'false',
    });
  });

  it('CSV gives back any name, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const lines: Record<string, string>[] = parse(csvOf(named(text)), { columns: true });
        return lines.every((it) => it.model_name === text);
      }),
      { numRuns: 50 },
    );
  });

  it('Markdown has as many cells in every line, whatever is in a name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const lines = markdownOf(named(text)).trimEnd().split('\n');
        const cells = lines.map((line) => line.replace(/\\\\/g, '').replace(/\\\|/g, '').split('|').length);
        return new Set(cells).size === 1 && lines.length === 2 + 17 && !lines.join('').includes('<');
      }),
      { numRuns: 50 },
    );
  });

  it('JSON has the reports and recipes of all that is shown', () => {
    const other = evaluatedOtherwise();
    const { evaluations } = JSON.parse(jsonOf(pageOf(evaluated(), {}, [other])));
    expect(evaluations).toEqual([
      { runId: evaluated().run.runId, recipe: evaluationRecipe(), report: evaluationReport() },
      { runId: other.run.runId, recipe: other.recipe, report: other.report },
    ]);
  });
});

describe('tasks of a form', () => {
  it('stay in the order of the table, and what has no box last', () => {
    expect(withTask(['piqa', 'own_task'], 'boolq', true)).toEqual(['boolq', 'piqa', 'own_task']);
    expect(withTask(['piqa', 'own_task'], 'own_task', false)).toEqual(['piqa']);
    expect(new Set(taskChoices.map(({ name }) => name)).size).toBe(taskChoices.length);
  });

  it.each([
    { tasks: ['piqa'], choice: 'none' },
    { tasks: ['mmlu', 'piqa'], choice: 'all' },
    { tasks: ['mmlu_philosophy'], choice: 'other' },
    { tasks: withMmlu(['piqa', 'mmlu'], 'six'), choice: 'six' },
  ])('with MMLU as $choice', ({ tasks, choice }) => {
    expect(mmluChoiceOf(tasks)).toBe(choice);
  });
});
