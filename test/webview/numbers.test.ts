// What pages compute from a report: ranks, trust, surprises, suggestions, estimates, facts.
import { describe, expect, it } from 'vitest';
import type { Report } from '../../server/recipes/kinds';
import { available } from '../fixtures';
import { blockRanges, dropSetOf, emptyDropSet, ofBlocks } from '../../server/shared/dropSets';
import { factsOf, headInBlocks } from '../../webview/choose/facts';
import { lossOf, measuredSets } from '../../webview/choose/measured';
import { scoredMethods, suggestion } from '../../webview/choose/methods';
import { median, rankCorrelation, ranks, surprises } from '../../webview/choose/ranks';
import { initialState } from '../../webview/choose/state';
import { betterSet, nextQuestion, viewOf } from '../../webview/choose/view';
import { summaryOf } from '../../webview/run/summary';
import { notFinite } from '../../server/shared/finite';
import { finite } from '../finiteLoss';
import { modelOf, referenceFile, reportOf, stateOf } from './harness/fixture';

describe('ranks', () => {
  it.each([
    { values: [3, 1, 2], is: [3, 1, 2] },
    { values: [5, 5, 1], is: [2, 3, 1] },
    { values: [], is: [] },
  ])('of $values', ({ values, is }) => expect(ranks(values)).toEqual(is));

  // Expected: scipy.stats.spearmanr.
  it.each([
    { a: [1, 2, 3, 4], b: [10, 20, 30, 40], rho: 1 },
    { a: [1, 2, 3, 4], b: [4, 3, 2, 1], rho: -1 },
    { a: [1, 2, 3, 4, 5], b: [2, 1, 4, 3, 5], rho: 0.8 },
    { a: [1, 2, 2, 3], b: [1, 2, 3, 4], rho: 0.9486832980505138 },
  ])('agree by $rho', ({ a, b, rho }) => expect(rankCorrelation(a, b)).toBeCloseTo(rho, 12));

  it.each([
    { values: [3, 1, 2], is: 2 },
    { values: [4, 1, 3, 2], is: 3 },
    { values: [], is: 0 },
  ])('$values have the median $is', ({ values, is }) => expect(median(values)).toBe(is));
});

describe('a surprise', () => {
  it.each([
    { name: 'costs three times what its rank stands for', ranks: [1, 2, 3], costs: [2, 0.1, 0.2], kept: [], is: [0] },
    { name: 'is none when the difference is small', ranks: [1, 2, 3], costs: [0.3, 0.01, 0.02], kept: [], is: [] },
    { name: 'is none when it is less than three times', ranks: [1, 2, 3], costs: [1.2, 0.5, 0.6], kept: [], is: [] },
    { name: 'is none when it is protected', ranks: [1, 2, 3], costs: [2, 0.1, 0.2], kept: [0], is: [] },
    { name: 'is not the block that a method overrates', ranks: [3, 2, 1], costs: [0.1, 0.2, 2], kept: [], is: [2] },
  ])('$name', ({ ranks, costs, kept, is }) => expect(surprises(ranks, costs, kept)).toEqual(is));
});

describe('a suggestion', () => {
  const single = { scores: [0.5, 0.1, 0.3, 0.2], spans: null };
  const spans = { scores: [0.5, 0.1, 0.3, 0.2], spans: [[0.5, 0.1, 0.3, 0.2], [0.4, 0.2, 0.6], [0.9, 0.8], [1]] };
  it.each([
    { name: 'takes the least blocks', from: single, count: 2, kept: [], is: [1, 3] },
    { name: 'goes around protected ones', from: single, count: 2, kept: [1], is: [2, 3] },
    { name: 'is none where too few are free', from: single, count: 3, kept: [0, 1], is: null },
    { name: 'takes the least span', from: spans, count: 2, kept: [], is: [1, 2] },
    { name: 'takes the least span that is free', from: spans, count: 2, kept: [1], is: [2, 3] },
    { name: 'is none where no span is free', from: spans, count: 3, kept: [1], is: null },
  ])('$name', ({ from, count, kept, is }) => expect(suggestion(from, count, kept)?.blocks ?? null).toEqual(is));
});

describe('a set of units', () => {
  it.each([
    { units: [3, 1], is: ofBlocks([1, 3]) },
    { units: [{ block: 2, half: 'mlp' as const }, 1], is: { blocks: [1], attention: [], mlp: [2] } },
    {
      units: [
        { block: 2, half: 'mlp' as const },
        { block: 2, half: 'attention' as const },
      ],
      is: ofBlocks([2]),
    },
  ])('is $is', ({ units, is }) => expect(dropSetOf(units)).toEqual(is));
});

describe.skipIf(!available(referenceFile('smollm2-135m')))('SmolLM2 in numbers', () => {
  const model = modelOf('smollm2-135m');
  const report = reportOf('smollm2-135m');
  const host = stateOf(report, model);
  const view = viewOf(initialState(host));
  const viewOfSet = (blocks: number[], answers = new Map()) =>
    viewOf({ ...initialState({ ...host, choice: { ...host.choice, drop: { ...emptyDropSet, blocks } } }), answers });

  it('finds the one block that costs more than it looks', () => {
    expect(view.surprises).toEqual([11]);
    expect(view.method!.ranks[11]).toBe(13);
    expect(view.costRanks![11]).toBe(27);
  });

  it.each([
    ['blockInfluence', 0.77],
    ['angularDistance', 0.73],
    ['relativeMagnitude', 0.86],
    ['taylor', 0.43],
    ['weightMagnitude', 0.18],
  ])('trusts %s by %f', (name, rho) =>
    expect(view.suggestions.find((row) => row.name === name)!.correlation).toBeCloseTo(rho, 2),
  );

  it.each([
    ['blockInfluence', ['14', '13–14', '13–14, 17']],
    ['angularDistance', ['25', '25–26', '13–15', '12–15', '12–16']],
    ['greedy', ['14', '14, 17', '14–15, 17', '14–15, 17, 26']],
  ])('lets %s pick', (name, picks) => {
    const { cells } = view.suggestions.find((row) => row.name === name)!;
    expect(picks.map((_, i) => blockRanges(cells[i]!.drop.blocks))).toEqual(picks);
  });

  it('marks the least of each count', () => {
    const least = view.counts.map((_, i) =>
      view.suggestions.filter((row) => row.cells[i]?.least).map(({ name }) => name),
    );
    expect(least[1]).toEqual(['greedy']);
    expect(least[0]).toContain('blockInfluence');
  });

  it('adds up single removals until a set is measured', () => {
    const sets = measuredSets(report, new Map());
    const sum = [12, 13].reduce((t, k) => t + finite(report.removals!.blocks[k]!.costNats), 0);
    expect(lossOf(ofBlocks([12, 13]), report, sets)).toMatchObject({ kind: 'estimated', costNats: sum });
    expect(lossOf(ofBlocks([14, 17]), report, sets)).toMatchObject({ kind: 'measured' });
    expect(lossOf(emptyDropSet, report, sets)).toMatchObject({
      kind: 'measured',
      costNats: 0,
      lossNats: report.lossNats,
    });
    expect(lossOf(ofBlocks([12]), null, sets)).toEqual({ kind: 'unknown' });
    expect(lossOf({ ...emptyDropSet, mlp: [11] }, report, sets)).toMatchObject({ kind: 'measured' });
  });

  it('names a better set of the same size, and none when there is none', () => {
    const answers = new Map([['12,13,14,15,16;;', { ...report.removals!.blocks[0]!, costNats: 0.985 }]]);
    expect(betterSet(viewOfSet([12, 13, 14, 15, 16], answers))).toMatchObject({
      label: 'Greedy search',
      drop: ofBlocks([14, 15, 17, 26, 13]),
    });
    expect(betterSet(viewOfSet([13, 14, 15, 17, 26]))).toBeNull();
    expect(betterSet(viewOfSet([12, 13, 14, 15, 16]))).toBeNull();
  });

  it('counts parameters, bytes and time', () => {
    const facts = factsOf(model, ofBlocks([12, 13, 14, 15, 16]));
    expect(facts).toMatchObject({ nBlocksLeft: 25, nParameters: 116_814_528, nParametersZeroed: 0 });
    expect(facts.sizeBytes).toBeCloseTo(233_629_056, 0);
    expect(headInBlocks(model)).toBeCloseTo(8, 2);
    expect(facts.speedUp).toBeCloseTo(38 / 33, 3);
    expect(factsOf(model, { ...emptyDropSet, mlp: [3] })).toMatchObject({
      nParameters: model.nParameters,
      nParametersZeroed: 2_654_208,
    });
  });

  it('shows what a partial report holds', () => {
    const partial = {
      methods: report.methods,
      lossNats: report.lossNats,
      removals: { ...report.removals!, blocks: report.removals!.blocks.slice(0, 3) },
    };
    const early = viewOf(initialState({ ...host, analysis: partial }));
    expect(early.removals.filter(Boolean)).toHaveLength(3);
    expect(early.surprises).toEqual([]);
    expect(early.costRanks).toBeNull();
    expect(viewOf(initialState({ ...host, analysis: null })).methods).toEqual([]);
  });

  it('neither chooses by a loss that is not finite, nor asks for it again', () => {
    const lost = { lossNats: notFinite, costNats: notFinite, standardError: null, costStandardError: null };
    const blocks = report.removals!.blocks.map((removal, k) => (k === 13 ? lost : removal));
    const analysis = { ...report, removals: { ...report.removals!, blocks } };
    const choice = { ...host.choice, drop: ofBlocks([13]) };
    const state = initialState({ ...host, analysis, choice });
    const { loss, costRanks, barEnds, suggestions } = viewOf(state);
    expect([loss, costRanks![13], nextQuestion(state)]).toEqual([{ kind: 'notFinite' }, 30, null]);
    expect(barEnds.cost).toBeGreaterThan(0);
    const picks = suggestions.find(({ kind }) => kind === 'removals')!.cells.flatMap((cell) => cell?.drop.blocks ?? []);
    expect(picks).not.toContain(13);
    expect(lossOf(ofBlocks([13, 12]), analysis, measuredSets(analysis, new Map()))).toEqual({ kind: 'unknown' });
  });

  it('shows methods that it does not know under their own names', () => {
    const [method] = scoredMethods({ someNewScore: report.methods.blockInfluence! });
    expect(method).toMatchObject({ label: 'Some new score', digits: 3 });
    expect(scoredMethods(report.methods).find(({ name }) => name === 'weightMagnitude')).toMatchObject({
      shownPer: 1000,
      digits: 0,
    });
  });
});

describe('the facts of a report', () => {
  const timing = { elapsedMs: 61_000, loadMs: 0, compileMs: 0, tokenizeMs: 0, writeMs: 0, tokens: 0 };
  const ending = { timing, peakMemoryBytes: 2e9, device: 'cpu', threads: 4 };
  const ended = [
    ['Time', '1 min 1 s'],
    ['Peak memory', '2.00 GB'],
    ['Device', 'cpu, 4 threads'],
  ];

  it('are the row of its kind, without what it does not say', () => {
    const report = { kind: 'sparsify', nZeroed: 1, nConsidered: 4, out: '/o', lossBefore: null, lossAfter: null };
    expect(summaryOf({ ...report, ...ending } as unknown as Report)).toEqual([
      ['Zeroed', '25.0\u202f% of the weights'],
      ['Written to', '/o'],
      ...ended,
    ]);
  });

  it('of a pull say what came from where', () => {
    const files = [{ name: 'a', sizeBytes: 5e6 }];
    const place = { repository: 'o/n', revision: 'main', commit: 'c', endpoint: 'https://h', out: '/o' };
    const report = { kind: 'pull', ...place, files, sizeBytes: 5e6, fetchedBytes: 0, elapsedMs: 2000 };
    expect(summaryOf(report as unknown as Report)).toEqual([
      ['Model', 'o/n@main of https://h'],
      ['Commit', 'c'],
      ['Written to', '/o'],
      ['Size', '5.0 MB in 1 file'],
      ['Fetched', 'nothing: all was there'],
      ['Time', '2 s'],
    ]);
  });

  it('of a pull for tasks say which data sets came', () => {
    const set = { commit: 'c', folder: '/o', files: [{ name: 'a', sizeBytes: 1e6 }] };
    const dataSets = [
      { dataset: 'o/n', ...set },
      { dataset: 'o/m', ...set },
    ];
    const place = { endpoint: 'https://h', tasks: ['piqa'], dataSets };
    const report = { kind: 'pull', ...place, sizeBytes: 2e6, fetchedBytes: 2e6, elapsedMs: 2000 };
    expect(summaryOf(report as unknown as Report)).toEqual([
      ['Data set', 'o/n of https://h, commit c'],
      ['Data set', 'o/m of https://h, commit c'],
      ['Size', '2.0 MB in 2 files'],
      ['Fetched', '2.0 MB'],
      ['Time', '2 s'],
    ]);
  });

  it('are its own numbers and texts where no row knows its kind', () => {
    const report = { kind: 'convert', out: '/o', nFiles: 3, sizeBytes: 5e6, lossNats: 2.5, share: 0.25, files: ['a'] };
    expect(summaryOf({ ...report, ...ending } as unknown as Report)).toEqual([
      ['Written to', '/o'],
      ['N files', '3'],
      ['Size', '5.0 MB'],
      ['Loss', '2.500 nats'],
      ['Share', '0.250'],
      ...ended,
    ]);
  });
});
