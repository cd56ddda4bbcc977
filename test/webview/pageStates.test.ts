// The states of the pages: each row is what was done to a page, and what its state is then.
import { describe, expect, it } from 'vitest';
import type { DropSet } from '../../server/protocol/recipes';
import type { Estimate } from '../../server/protocol/reports';
import type { GenerateReport } from '../../server/recipes/generate/recipe';
import { emptyDropSet, keyOf, ofBlocks } from '../../server/shared/dropSets';
import { afterRequest, noRequest, type RequestAction } from '../../webview/requests';
import * as choose from '../../webview/choose/state';
import { nextQuestion } from '../../webview/choose/view';
import * as evaluate from '../../webview/evaluate/state';
import * as heal from '../../webview/heal/state';
import * as tryPage from '../../webview/try/state';
import { evaluated, evaluationForm, evaluationState } from './harness/evaluation';
import { modelOf, runOf, stateOf } from './harness/fixture';
import { healForm, healRun, healState } from './harness/healing';

/** The state after all of the actions. */
const run = <State, Action>(next: (state: State, action: Action) => State, from: State, actions: readonly Action[]) =>
  actions.reduce(next, from);

const lossOf = (costNats: number, final = true): Estimate => ({
  lossNats: 3 + costNats,
  standardError: 0.01,
  costNats,
  costStandardError: 0.01,
  nSequences: 8,
  ofSequences: 8,
  final,
  elapsedMs: 40,
});

describe('the state of the choose-blocks page', () => {
  const model = modelOf('stories260k');
  const host = stateOf({ lossNats: 3 }, model);
  const initial = choose.initialState(host);
  const block = (at: number) => ({ block: at, sublayer: null });
  const attention = (at: number) => ({ block: at, sublayer: 'attention' as const });
  const key = (name: string, shift = false): choose.Action => ({ type: 'key', key: name, shift });
  const pick = (row: ReturnType<typeof block | typeof attention>, range = false): choose.Action => ({
    type: 'pick',
    row,
    range,
  });

  it.each<{ does: string; actions: choose.Action[]; drop: Partial<DropSet>; current?: unknown }>([
    { does: 'a click drops a block', actions: [pick(block(2))], drop: { blocks: [2] }, current: block(2) },
    { does: 'a second click keeps it', actions: [pick(block(2)), pick(block(2))], drop: {} },
    {
      does: 'Shift takes all from the anchor',
      actions: [pick(block(1)), pick(block(3), true)],
      drop: { blocks: [1, 2, 3] },
    },
    { does: 'a sublayer goes alone', actions: [pick(attention(1))], drop: { attention: [1] } },
    {
      does: 'a sublayer of a dropped block is fixed',
      actions: [pick(block(1)), pick(attention(1))],
      drop: { blocks: [1] },
      current: attention(1),
    },
    {
      does: 'both sublayers are a block',
      actions: [pick(attention(1)), pick({ block: 1, sublayer: 'mlp' } as never)],
      drop: { blocks: [1] },
    },
    {
      does: 'Space drops the current row',
      actions: [key('ArrowDown'), key(' ')],
      drop: { blocks: [1] },
      current: block(1),
    },
    {
      does: 'Shift and an arrow take a range',
      actions: [key(' '), key('ArrowDown', true)],
      drop: { blocks: [0, 1] },
      current: block(1),
    },
    { does: 'P protects, which keeps', actions: [key(' '), key('p'), key(' ')], drop: {}, current: block(0) },
    {
      does: 'End and PageDown stop at the last row',
      actions: [key('End'), key('PageDown')],
      drop: {},
      current: block(4),
    },
    {
      does: 'Right opens, Down goes to a sublayer',
      actions: [key('ArrowRight'), key('ArrowDown'), key(' ')],
      drop: { attention: [0] },
      current: attention(0),
    },
    {
      does: 'Left closes, and leaves the sublayer',
      actions: [key('ArrowRight'), key('ArrowDown'), key('ArrowLeft')],
      drop: {},
      current: block(0),
    },
    {
      does: 'undo and redo',
      actions: [pick(block(1)), pick(block(2)), { type: 'undo' }, { type: 'undo' }, { type: 'redo' }],
      drop: { blocks: [1] },
    },
    {
      does: 'a new choice forgets what was undone',
      actions: [pick(block(1)), { type: 'undo' }, pick(block(3)), { type: 'redo' }],
      drop: { blocks: [3] },
    },
  ])('$does', ({ actions, drop, current }) => {
    const after = run(choose.nextState, initial, actions);
    expect(after.history.present.drop).toEqual({ ...emptyDropSet, ...drop });
    if (current) expect(after.current).toEqual(current);
  });

  it('is the same object where an action changes nothing', () => {
    for (const action of [{ type: 'undo' }, { type: 'redo' }, key('Enter'), { type: 'focus', row: block(0) }] as const)
      expect(choose.nextState(initial, action)).toBe(initial);
  });

  it('lets the map follow the choice where that is one span', () => {
    const after = run(choose.nextState, initial, [pick(block(1)), pick(block(2), true)]);
    expect(after.cell).toEqual({ first: 1, count: 2 });
    expect(choose.nextState(after, pick(block(4))).cell).toEqual({ first: 1, count: 2 });
  });

  it.each([
    { key: 'ArrowRight', from: { first: 0, count: 2 }, to: { first: 1, count: 2 } },
    { key: 'ArrowRight', from: { first: 3, count: 2 }, to: { first: 3, count: 2 } },
    { key: 'ArrowDown', from: { first: 4, count: 1 }, to: { first: 3, count: 2 } },
    { key: 'ArrowUp', from: { first: 2, count: 1 }, to: { first: 2, count: 1 } },
    { key: 'a', from: { first: 2, count: 1 }, to: null },
  ])('$key on the map goes from $from to $to', ({ key, from, to }) =>
    expect(choose.spanAfterKey({ ...initial, cell: from }, key, 4)).toEqual(to),
  );

  const drop = ofBlocks([1]);
  const asked: choose.Action = { type: 'asked', question: 7, key: keyOf(drop) };
  const answered: choose.Action = { type: 'answered', key: keyOf(drop), answer: lossOf(0.5) };

  it.each<{ does: string; actions: choose.Action[]; is: Partial<choose.PageState> }>([
    {
      does: 'an estimate to the question is shown',
      actions: [asked, { type: 'estimate', question: 7, estimate: lossOf(0.4, false) }],
      is: { asking: { question: 7, key: keyOf(drop), estimate: lossOf(0.4, false) } },
    },
    {
      does: 'an estimate to an older question is not',
      actions: [asked, { type: 'estimate', question: 6, estimate: lossOf(9, false) }],
      is: { asking: { question: 7, key: keyOf(drop), estimate: null } },
    },
    {
      does: 'an answer is kept, and takes its set from the queue',
      actions: [{ type: 'queue', queue: [drop] }, asked, answered, { type: 'settled' }],
      is: { asking: null, queue: null, answers: new Map([[keyOf(drop), lossOf(0.5)]]), answerTimesMs: [40] },
    },
    {
      does: 'an answer that is not final is no answer',
      actions: [asked, { ...answered, answer: lossOf(0.5, false) }],
      is: { answers: new Map(), answerTimesMs: [40] },
    },
    {
      does: 'a refusal ends the queue',
      actions: [
        { type: 'queue', queue: [drop] },
        { type: 'refused', why: 'No.' },
      ],
      is: { refusal: 'No.', queue: null },
    },
    {
      does: 'another choice makes the question outdated',
      actions: [asked, pick(block(3)), { type: 'choiceChanged' }],
      is: { asking: null, refusal: null },
    },
    {
      does: 'the same choice does not',
      actions: [pick(block(1)), asked, { type: 'choiceChanged' }],
      is: { asking: { question: 7, key: keyOf(drop), estimate: null } },
    },
    {
      does: 'another analysis forgets the answers',
      actions: [
        asked,
        answered,
        { type: 'host', host: { ...host, run: { ...runOf({ state: 'running' }), runId: 'another' } } },
      ],
      is: { answers: new Map(), asking: null },
    },
    {
      does: 'the same analysis keeps them',
      actions: [answered, { type: 'host', host: { ...host, recipesFolder: null } }],
      is: { answers: new Map([[keyOf(drop), lossOf(0.5)]]) },
    },
    {
      does: 'a button that waits forgets the last message',
      actions: [
        { type: 'failed', message: 'Full.' },
        { type: 'requested', busy: 'prune' },
      ],
      is: { busy: 'prune', message: null },
    },
  ])('$does', ({ actions, is }) => expect(run(choose.nextState, initial, actions)).toMatchObject(is));

  const other = ofBlocks([2, 3]);
  it.each<{ does: string; actions: choose.Action[]; asks: DropSet | null; host?: object }>([
    { does: 'nothing is dropped', actions: [], asks: null },
    { does: 'the choice is not known', actions: [pick(block(1))], asks: drop },
    { does: 'the choice is known', actions: [pick(block(1)), answered], asks: null },
    { does: 'others were asked for, too', actions: [{ type: 'queue', queue: [other] }, pick(block(1))], asks: drop },
    {
      does: 'only others are left',
      actions: [{ type: 'queue', queue: [drop, other] }, pick(block(1)), answered],
      asks: other,
    },
    { does: 'it was refused', actions: [pick(block(1)), { type: 'refused', why: 'No.' }], asks: null },
    { does: 'no block would stay', actions: [pick(block(0)), pick(block(4), true)], asks: null },
    { does: 'there is no server', actions: [pick(block(1))], asks: null, host: { connection: { state: 'stopped' } } },
    {
      does: 'a prune run goes on',
      actions: [pick(block(1))],
      asks: null,
      host: { pruning: { run: runOf({ state: 'running' }, 'prune'), out: '/o' } },
    },
  ])('the next question where $does', ({ actions, asks, host: changes }) => {
    const from = choose.initialState({ ...host, ...changes });
    expect(nextQuestion(run(choose.nextState, from, actions))).toEqual(asks);
  });
});

describe('the state of the page of a healing', () => {
  const initial = heal.initialState(healState());
  const zoom = { from: 10, to: 20 };

  it.each<{ does: string; actions: heal.Action[]; is: object }>([
    {
      does: 'another unit shows everything',
      actions: [
        { type: 'zoom', zoom },
        { type: 'view', changes: { by: 'tokens' } },
      ],
      is: { zoom: null },
    },
    {
      does: 'the same unit keeps the part',
      actions: [
        { type: 'zoom', zoom },
        { type: 'view', changes: { by: 'step', logY: true } },
      ],
      is: { zoom, host: { view: { logY: true } } },
    },
    {
      does: 'the view is the page’s to say',
      actions: [
        { type: 'view', changes: { smoothing: 0.5 } },
        { type: 'host', host: healState() },
      ],
      is: { host: { view: { smoothing: 0.5 } } },
    },
    {
      does: 'another run starts anew',
      actions: [
        { type: 'zoom', zoom },
        { type: 'menu' },
        { type: 'failed', failure: 'No.' },
        { type: 'host', host: healState({ run: { ...healRun({ state: 'queued' }), runId: 'b' } }) },
      ],
      is: { zoom: null, menu: false, failure: null },
    },
    {
      does: 'the same run goes on',
      actions: [
        { type: 'zoom', zoom },
        { type: 'host', host: healState({ remainingSeconds: 3 }) },
      ],
      is: { zoom },
    },
    {
      does: 'writing closes the menu',
      actions: [{ type: 'menu' }, { type: 'requested', kind: 'writing' }],
      is: { menu: false },
    },
    {
      does: 'settings of a run are not changed',
      actions: [{ type: 'settings', changes: { rank: 3 } }],
      is: { host: initial.host },
    },
  ])('$does', ({ actions, is }) => expect(run(heal.nextState, initial, actions)).toMatchObject(is));

  it('keeps what is typed, which is newer than what comes back', () => {
    const form = heal.initialState(healState({}, { shown: healForm() }));
    const typed = heal.nextState(form, { type: 'settings', changes: { rank: 3 } });
    expect(typed.host.shown).toMatchObject({ form: { settings: { rank: 3 }, plan: null } });
    const after = heal.nextState(typed, { type: 'host', host: healState({}, { shown: healForm() }) });
    expect(after.host.shown).toMatchObject({ form: { settings: { rank: 3 }, plan: { estimatedSeconds: 574 } } });
  });

  it('is the same object where the crosshair stays', () => {
    const on = heal.nextState(initial, { type: 'cross', cross: { step: 4, pinned: false } });
    expect(heal.nextState(on, { type: 'cross', cross: { step: 4, pinned: false } })).toBe(on);
    expect(heal.nextState(on, { type: 'cross', cross: { step: 4, pinned: true } }).cross?.pinned).toBe(true);
  });
});

describe('the state of the page of an evaluation', () => {
  const initial = evaluate.initialState(evaluationState());
  const details = (row: string): evaluate.Action => ({ type: 'details', row });
  const another = { ...evaluated(), run: { ...evaluated().run, runId: 'another' } };

  it.each<{ does: string; actions: evaluate.Action[]; is: object }>([
    {
      does: 'details open and close',
      actions: [details('piqa'), details('boolq'), details('piqa')],
      is: { detailed: ['boolq'], current: 'piqa' },
    },
    {
      does: 'the view is the page’s to say',
      actions: [
        { type: 'view', changes: { filter: 'arc' } },
        { type: 'host', host: evaluationState() },
      ],
      is: { host: { view: { filter: 'arc' } } },
    },
    {
      does: 'another run starts anew',
      actions: [
        details('piqa'),
        { type: 'host', host: evaluationState({ kind: 'run', evaluation: another, beside: [] }) },
      ],
      is: { detailed: [], current: null },
    },
    {
      does: 'the same run goes on',
      actions: [details('piqa'), { type: 'host', host: evaluationState() }],
      is: { detailed: ['piqa'] },
    },
  ])('$does', ({ actions, is }) => expect(run(evaluate.nextState, initial, actions)).toMatchObject(is));

  it('keeps what is typed, and forgets its plan and refusal', () => {
    const form = evaluate.initialState(evaluationState(evaluationForm({ refusal: 'No.' })));
    const typed = evaluate.nextState(form, { type: 'settings', changes: { items: 7 } });
    expect(typed.host.shown).toMatchObject({ form: { settings: { items: 7 }, plan: null, refusal: null } });
    const after = evaluate.nextState(typed, { type: 'host', host: evaluationState(evaluationForm()) });
    expect(after.host.shown).toMatchObject({ form: { settings: { items: 7 }, plan: { estimatedSeconds: 312 } } });
  });
});

describe('the state of the try page', () => {
  const models = [modelOf('smollm2-135m'), modelOf('stories260k')];
  const host = { models, prompt: 'Once', maxTokens: 32, weights: null, connection: { state: 'connected' as const } };
  const report = (text: string) => ({ text }) as GenerateReport;
  const begin: tryPage.Action = { type: 'begin' };
  const text = (model: number, added: string): tryPage.Action => ({ type: 'text', model, text: added });

  it.each<{ does: string; actions: tryPage.Action[]; is: object }>([
    {
      does: 'text grows by model',
      actions: [begin, text(0, ' upon'), text(1, ' more'), text(0, ' a')],
      is: { runs: 'now', outputs: [{ prompt: 'Once', text: ' upon a' }, { text: ' more' }] },
    },
    {
      does: 'text that comes afterwards is left away',
      actions: [begin, { type: 'cancelled' }, text(0, ' upon')],
      is: { runs: 'cancelled', outputs: [{ text: '' }, { text: '' }] },
    },
    {
      does: 'the prompt of a run stays when another is typed',
      actions: [begin, { type: 'prompt', prompt: 'Two' }, { type: 'end', reports: [report('x'), report('y')] }],
      is: {
        runs: 'ended',
        prompt: 'Two',
        outputs: [
          { prompt: 'Once', text: 'x' },
          { prompt: 'Once', text: 'y' },
        ],
      },
    },
    {
      does: 'a failure keeps what came',
      actions: [begin, text(0, ' upon'), { type: 'failed', failure: 'No.' }, { type: 'end', reports: null }],
      is: { runs: 'ended', failure: 'No.', outputs: [{ text: ' upon' }, {}] },
    },
    {
      does: 'other models begin anew',
      actions: [begin, text(0, ' upon'), { type: 'host', host: { ...host, models: models.slice(0, 1) } }],
      is: { outputs: [{ prompt: '', text: '' }] },
    },
  ])('$does', ({ actions, is }) =>
    expect(run(tryPage.nextState, tryPage.initialState(host), actions)).toMatchObject(is),
  );

  it('generates nothing from nothing, and one text at a time', () => {
    const initial = tryPage.initialState(host);
    expect(tryPage.canGenerate(initial)).toBe(true);
    expect(tryPage.canGenerate(tryPage.nextState(initial, { type: 'prompt', prompt: ' ' }))).toBe(false);
    expect(tryPage.canGenerate(tryPage.nextState(initial, begin))).toBe(false);
  });
});

describe('requests', () => {
  const busy: RequestAction = { type: 'requested', kind: 'busy' };
  it.each<{ does: string; actions: RequestAction[]; is: object }>([
    {
      does: 'a button waits until its request succeeded',
      actions: [busy, { type: 'succeeded' }],
      is: { busy: false, failure: null },
    },
    {
      does: 'a failure is shown',
      actions: [busy, { type: 'failed', failure: 'No.' }],
      is: { busy: false, failure: 'No.' },
    },
    {
      does: 'until the next request',
      actions: [busy, { type: 'failed', failure: 'No.' }, { type: 'requested', kind: 'plain' }],
      is: { busy: false, failure: null },
    },
    {
      does: 'a request that nobody waits for leaves the button',
      actions: [busy, { type: 'failedQuietly', failure: 'No.' }],
      is: { busy: true, failure: 'No.' },
    },
    {
      does: 'the file is named',
      actions: [
        { type: 'requested', kind: 'writing' },
        { type: 'written', file: '/a.csv' },
      ],
      is: { written: '/a.csv' },
    },
    {
      does: 'until another is written',
      actions: [
        { type: 'written', file: '/a.csv' },
        { type: 'requested', kind: 'writing' },
      ],
      is: { written: null },
    },
  ])('$does', ({ actions, is }) => expect(actions.reduce(afterRequest, noRequest)).toEqual({ ...noRequest, ...is }));
});
