// What a person can do on the choose-blocks page, by mouse and by keyboard. Each function changes the state (state.ts) or
// asks the host; nothing here knows how the page is drawn.
import type { ChooseBlocksPage } from '../../server/protocol/pages/chooseBlocks';
import type { DropSet, WeightsOption } from '../../server/protocol/recipes';
import type { MeasureOptions } from '../../server/recipes/analyze/recipe';
import type { RepairOptions } from '../../server/recipes/prune/recipe';
import { dropSetInWords, emptyDropSet, keyOf, ofBlocks } from '../../server/shared/dropSets';
import type { Host } from '../host';
import type { PageStore } from '../pageStore';
import { sentenceOf } from '../requests';
import { type AskedSize, mlpWidthOf } from './askedSize';
import { type Choice, protect, type Row, span, take } from './choice';
import type { Questions } from './questions';
import { type Action, afterKey, blocksOf, type PageState, spanAfterKey } from './state';
import { findSize } from './findSize';
import { spanMethod, viewOf } from './view';

export interface ActionWiring {
  readonly store: PageStore<PageState, Action>;
  readonly host: Host<ChooseBlocksPage>;
  readonly questions: Questions;
  /** Moves the focus to the current row of the table, once it is drawn. */
  focusRow(): void;
}

export type Actions = ReturnType<typeof actionsOn>;

export const actionsOn = (wiring: ActionWiring) => ({
  ...choiceActions(wiring),
  ...viewActions(wiring),
  ...runActions(wiring),
  measureAll: wiring.questions.measureAll,
  stopMeasuring: wiring.questions.stopMeasuring,
});

const choiceOf = ({ state }: ActionWiring['store']): Choice => state.history.present;

/** Dispatches, and lets the host and the questions know when that changed the choice. */
function edit({ store, host, questions }: ActionWiring, action: Action): void {
  const before = store.state.history;
  store.dispatch(action);
  if (store.state.history === before) return;
  keep(store, host);
  questions.choiceChanged();
}

/** The host puts the choice into the window's state; so does the page, for a reload that comes first. */
function keep(store: ActionWiring['store'], host: Host<ChooseBlocksPage>): void {
  const { drop, protected: kept } = choiceOf(store);
  const choice = { drop, protected: [...kept], method: store.state.method };
  host.remember({ page: 'chooseBlocks', folder: store.state.host.model.folder, choice });
  host.ask('choose/keep', { choice }).catch(() => {});
}

function choiceActions(wiring: ActionWiring) {
  const { store, focusRow } = wiring;
  const choose = (choice: Choice) => edit(wiring, { type: 'choose', choice });
  return {
    take: (drop: DropSet) => choose(take(choiceOf(store), drop)),
    takeSpan: (first: number, n: number) => choose(take(choiceOf(store), ofBlocks(span(first, n)))),
    clear: () => choose({ ...choiceOf(store), drop: emptyDropSet }),
    protect: (blocks: readonly number[], on: boolean) => choose(protect(choiceOf(store), blocks, on)),
    undo: () => edit(wiring, { type: 'undo' }),
    redo: () => edit(wiring, { type: 'redo' }),
    pick(event: MouseEvent, row: Row) {
      event.preventDefault();
      edit(wiring, { type: 'pick', row, range: event.shiftKey });
      focusRow();
    },
    keyOnRow(event: KeyboardEvent) {
      if (!(event.target as Element).matches('tr') || event.altKey || event.ctrlKey || event.metaKey) return;
      const { key, shiftKey: shift } = event;
      // Of the state and not of the last drawing: keys can come faster than frames.
      if (!afterKey(store.state, key, shift)) return;
      edit(wiring, { type: 'key', key, shift });
      focusRow();
      event.preventDefault();
    },
  };
}

function viewActions(wiring: ActionWiring) {
  const { store, host, focusRow } = wiring;
  const show = (changes: (Action & { type: 'show' })['changes']) => store.dispatch({ type: 'show', changes });
  const showCell = (first: number, count: number, preview: boolean) => {
    if (!spanMethod(viewOf(store.state))?.spans?.[count - 1]) return;
    const cell = { first, count };
    show({ cell, preview: preview ? blocksOf(cell) : [] });
  };
  return {
    showCell,
    keyOnMap(event: KeyboardEvent, most: number) {
      const { cell } = store.state;
      const next = spanAfterKey(store.state, event.key, most);
      if (next) showCell(next.first, next.count, true);
      else if (event.key === 'Enter')
        edit(wiring, { type: 'choose', choice: take(choiceOf(store), ofBlocks(blocksOf(cell))) });
      else return;
      event.preventDefault();
    },
    showMethod(method: string) {
      if (method === store.state.method) return;
      show({ method });
      keep(store, host);
    },
    showCounts: (by: number) => show({ firstCount: Math.max(1, store.state.firstCount + by) }),
    preview(blocks: readonly number[]) {
      if (blocks.join() !== store.state.preview.join()) show({ preview: blocks });
    },
    setRepair: (repair: boolean) => show({ repair }),
    typeSize: (typed: Partial<Pick<AskedSize, 'text' | 'contextTokens'>>) =>
      show({ size: { ...store.state.size, ...typed, found: null } }),
    findSize() {
      const { size } = store.state;
      const found = findSize(viewOf(store.state), size.text, size.contextTokens);
      if (found.kind === 'found') edit(wiring, { type: 'choose', choice: take(choiceOf(store), found.drop) });
      show({ size: { ...size, found } });
    },
    openAll: () => store.dispatch({ type: 'openAll' }),
    openBlocks(blocks: readonly number[]) {
      store.dispatch({ type: 'openBlocks', blocks });
      focusRow();
    },
    currentIs: (row: Row) => store.dispatch({ type: 'focus', row }),
  };
}

/** Runs a request that a button stands for; the button waits, and a failure is said beside it. */
const requester =
  ({ store }: ActionWiring) =>
  async (busy: PageState['busy'], work: () => Promise<string | null>) => {
    store.dispatch({ type: 'requested', busy });
    const message = await work().then(
      (text) => (text === null ? null : { kind: 'done' as const, text }),
      (error: unknown) => ({ kind: 'failed' as const, text: sentenceOf(error) }),
    );
    store.dispatch({ type: 'requestEnded', message });
  };

function runActions(wiring: ActionWiring) {
  const { store, host, questions } = wiring;
  const request = requester(wiring);
  const tell = (work: Promise<unknown>) => {
    work.catch((error) => store.dispatch({ type: 'failed', message: sentenceOf(error) }));
  };
  const dropped = () => choiceOf(store).drop;
  const chosen = () => {
    const mlpWidth = mlpWidthOf(store.state.size, dropped());
    return { drop: dropped(), repair: repairOf(store.state), ...(mlpWidth !== null && { mlpWidth }) };
  };
  return {
    prune: () =>
      request('prune', async () => {
        await host.ask('choose/prune', chosen());
        return null;
      }),
    saveRecipe: () =>
      request('saveRecipe', async () => {
        const saved = await host.ask('choose/saveRecipe', chosen());
        return saved && `Saved: prune without ${dropSetInWords(dropped())}, in ${saved.file}.`;
      }),
    analyze: () =>
      request('analyze', async () => {
        await host.ask('choose/analyze', { measure: measureOf(store.state) });
        return null;
      }),
    chooseText: () => tell(host.ask('choose/text', {})),
    setWeights: (weights: WeightsOption | null) => tell(host.ask('choose/weights', { weights })),
    cancelRun: (runId: string) => tell(host.ask('run/cancel', { runId })),
    openRun: (runId: string) => tell(host.ask('run/open', { runId })),
    openLog: () => tell(host.ask('log/open', {})),
    restart: () => tell(host.ask('server/restart', {})),
    saveWay: () =>
      request('saveWay', async () => {
        const folder = store.state.host.pruning?.out;
        const saved = folder ? await host.ask('choose/saveWay', { folder }) : null;
        return saved && `Saved: the whole way to this model, in ${saved.file}.`;
      }),
    tryIt() {
      const folder = store.state.host.pruning?.out;
      if (folder) tell(host.ask('model/try', { folder }));
    },
    async measureSpeed() {
      const drop = dropped();
      const key = keyOf(drop);
      const set = (state: 'measuring' | 'failed' | 'measured', ratio: number, message = '') =>
        store.dispatch({ type: 'speed', speed: { key, state, ratio, message } });
      set('measuring', 1);
      try {
        const { baseMs, prunedMs } = await host.ask('choose/speed', { drop });
        set('measured', baseMs / prunedMs);
      } catch (error) {
        set('failed', 1, sentenceOf(error));
      }
      questions.hostChanged(false);
    },
  };
}

const repairOf = ({ repair }: PageState): RepairOptions | null =>
  repair ? { kind: 'linear', ridge: 'auto', heldOutSequences: null } : null;

/** What the host offered to measure; else everything. */
function measureOf({ host }: PageState): MeasureOptions {
  const { nBlocks } = host.model;
  return (
    host.offer?.measure ?? {
      removals: 'sublayers',
      greedy: { count: Math.min(6, nBlocks - 1), of: 'blocks', racingConfidence: null, protected: [] },
      suggestions: Math.min(5, nBlocks - 1),
      whatIf: [],
    }
  );
}
