// What panels know and do before, beside and after a run, as far as it is pure: forms and their plans, the newest analysis,
// the list of runs, the end of a generation.
import { describe, expect, it, vi } from 'vitest';
import { mayChangeModels, withChange } from '../../extension/library';
import { analysisReducer, newestAnalysis } from '../../extension/panels/choose/analysis';
import { type FormEvent, type FormState, reduceForm } from '../../extension/panels/form';
import { placeToHeal } from '../../extension/panels/heal/panel';
import { reportOf } from '../../extension/panels/try/panel';
import type { PlanEstimate } from '../../server/protocol/engine';
import type { Recipe } from '../../server/recipes/kinds';
import type { GenerateReport } from '../../server/recipes/generate/recipe';
import type { RunState, RunSummary } from '../../server/protocol/server';
import { analysis, runSummary } from './rows';

vi.mock('vscode', () => import('./vscode'));

describe('a form', () => {
  type Settings = { rank: number };
  const plan = { totalBytes: 1 } as PlanEstimate;
  const first: FormState<Settings> = { settings: { rank: 8 }, plan: null, refusal: null, question: 0 };

  it.each<{ name: string; of: FormEvent<Settings>[]; is: Partial<FormState<Settings>> }>([
    {
      name: 'shows the plan that it asked for',
      of: [{ kind: 'planAsked' }, { kind: 'planned', question: 1, plan }],
      is: { plan, refusal: null },
    },
    {
      name: 'says why there is none',
      of: [{ kind: 'planAsked' }, { kind: 'refused', question: 1, refusal: 'no room' }],
      is: { plan: null, refusal: 'no room' },
    },
    {
      name: 'has the newest answer alone, whichever comes first',
      of: [
        { kind: 'planAsked' },
        { kind: 'planAsked' },
        { kind: 'planned', question: 2, plan },
        { kind: 'refused', question: 1, refusal: 'late' },
      ],
      is: { plan, refusal: null },
    },
    {
      name: 'forgets the plan for other settings, and what was still asked for them',
      of: [
        { kind: 'planAsked' },
        { kind: 'settingsChosen', settings: { rank: 16 } },
        { kind: 'planned', question: 1, plan },
      ],
      is: { settings: { rank: 16 }, plan: null },
    },
    {
      name: 'forgets the plan for other models',
      of: [{ kind: 'planAsked' }, { kind: 'planned', question: 1, plan }, { kind: 'planForgotten' }],
      is: { settings: { rank: 8 }, plan: null },
    },
    {
      name: 'keeps the plan that it has while the next is on its way',
      of: [{ kind: 'planAsked' }, { kind: 'planned', question: 1, plan }, { kind: 'planAsked' }],
      is: { plan },
    },
  ])('$name', ({ of, is }) => {
    expect(of.reduce((state, event) => reduceForm(state, event), first)).toMatchObject(is);
  });
});

const at = (
  runId: string,
  createdAtEpochMs: number,
  some: Partial<RunSummary> = {},
  state: RunState['state'] = 'done',
) => runSummary({ state } as RunState, { runId, createdAtEpochMs, kind: 'analyze', ...some });

describe('the analysis of a model', () => {
  it.each<{ name: string; runs: RunSummary[]; is: string | null }>([
    { name: 'is the newest', runs: [at('a', 1), at('b', 3), at('c', 2)], is: 'b' },
    { name: 'is of this model', runs: [at('a', 1), at('b', 3, { model: '/w/other' })], is: 'a' },
    { name: 'is an analysis', runs: [at('a', 1), at('b', 3, { kind: 'prune' })], is: 'a' },
    { name: 'is none that was cancelled', runs: [at('a', 1), at('b', 3, {}, 'cancelled')], is: 'a' },
    { name: 'may have failed', runs: [at('a', 1), at('b', 3, {}, 'failed')], is: 'b' },
    { name: 'may be missing', runs: [], is: null },
  ])('$name', ({ runs, is }) => {
    expect(newestAnalysis(runs, '/w/tiny')?.runId ?? null).toBe(is);
  });

  it('grows by its parts, and is its report at the end', () => {
    const details = { run: at('a', 1, {}, 'queued'), recipe: {} as Recipe, plan: null, warnings: [], report: null };
    const first = analysisReducer.fetched(details, null);
    const [methods, removals] = [{ taken: {} }, { blocks: [] }] as never[];
    const parts = [{ methods }, { removals }].reduce(
      (state, report) => analysisReducer.applied!(state, { kind: 'partial', report } as never),
      first,
    );
    expect(parts.report).toEqual({ methods, removals });
    expect(analysisReducer.fetched(details, parts).report).toEqual({ methods, removals });
    const report = analysis({});
    expect(analysisReducer.fetched({ ...details, report }, parts).report).toBe(report);
  });
});

describe('the list of runs', () => {
  const runs = [at('b', 2, {}, 'running'), at('a', 1)];

  it('takes what has changed, and has the newest first', () => {
    const change = { runs: [at('c', 3, {}, 'queued'), at('b', 2)], deleted: ['a'] };
    expect(withChange(runs, change).map(({ runId, state }) => `${runId} ${state}`)).toEqual(['c queued', 'b done']);
  });

  it.each([
    { name: 'a run that is done now', change: { runs: [at('b', 2)], deleted: [] }, is: true },
    { name: 'a run that was done before', change: { runs: [at('a', 1)], deleted: [] }, is: false },
    { name: 'a run that goes on', change: { runs: [at('b', 2, {}, 'running')], deleted: [] }, is: false },
    { name: 'a run that is gone', change: { runs: [], deleted: ['a'] }, is: true },
  ])('$name may have changed the models: $is', ({ change, is }) => {
    expect(mayChangeModels(runs, change)).toBe(is);
  });
});

describe('the place of a healing', () => {
  const heal = (runId: string, state: RunState['state'], model = '/w/tiny') =>
    at(runId, 1, { kind: 'heal', model }, state);
  it.each([
    { name: 'the form', runs: [heal('done', 'done'), heal('other', 'running', '/w/other')], runId: null },
    { name: 'the one that goes on', runs: [heal('done', 'done'), heal('on', 'paused')], runId: 'on' },
  ])('is $name', ({ runs, runId }) => {
    expect(placeToHeal('/w/tiny', { runs })).toEqual({ folder: '/w/tiny', runId });
  });
});

describe('a generation that has ended', () => {
  const report = { kind: 'generate', text: 'once' } as unknown as GenerateReport;
  const ended = (state: RunState, of: GenerateReport | null = null) => ({
    run: runSummary(state),
    recipe: {} as Recipe,
    plan: null,
    warnings: [],
    report: of,
  });

  it('has its report, or none where it was cancelled', () => {
    expect(reportOf(ended({ state: 'done' }, report))).toBe(report);
    expect(reportOf(ended({ state: 'cancelled' }))).toBeNull();
  });

  it.each<{ state: RunState; message: string }>([
    { state: { state: 'failed', code: 'cannotFit', message: 'It needs 9 GB.' }, message: 'It needs 9 GB.' },
    { state: { state: 'interrupted' }, message: 'The run ended without text' },
    { state: { state: 'done' }, message: 'The run ended without text' },
  ])('says what went wrong: $state.state', ({ state, message }) => {
    expect(() => reportOf(ended(state))).toThrow(message);
  });
});
