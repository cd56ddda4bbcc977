// All that a person can do in the panel, by mouse and by keyboard. Each changes the state or asks the host; nothing here
// knows how the page is drawn.
import type { ChooseBlocksPage } from '../../server/protocol/pages/chooseBlocks';
import type { DropSet } from '../../server/protocol/recipes';
import type { RepairOptions } from '../../server/recipes/prune/recipe';
import { type Host, sentenceOf } from '../host';
import { type Choice, isDropped, protect, type Row, setRange, span, take, toggle } from './choice';
import { change, redo, undo } from './history';
import { isRow, visibleRows } from './rows';
import { mostSpan, spanMethod, takenSpan } from './spans';
import type { Store } from './store';
import { viewOf } from './view';
import type { WhatIf } from './whatIf';
import { dropSetInWords, emptyDropSet, keyOf, ofBlocks } from '../../server/shared/dropSets';

export type Actions = ReturnType<typeof actionsOn>;

/** `focusRow` moves the focus of the page to the row that is current, once it is drawn. */
export function actionsOn(store: Store, host: Host<ChooseBlocksPage>, whatIf: WhatIf, focusRow: () => void) {
  const choice = () => store.state.history.present;

  const edit = (next: Choice) => {
    const same = keyOf(next.drop) === keyOf(choice().drop) && next.protected.join() === choice().protected.join();
    if (!same) setHistory(change(store.state.history, next));
  };
  const setHistory = (history: typeof store.state.history) => {
    if (history === store.state.history) return;
    // The words under the heat map are those of the choice until somebody points at another span.
    const taken = takenSpan(history.present.drop.blocks, mostSpan);
    store.update({ history, message: null, ...(taken ? { cell: taken } : {}) });
    keep();
    whatIf.choiceChanged();
  };
  /** The host puts it into the window's state; so does the page, for a reload that comes first. */
  const keep = () => {
    const { drop, protected: kept } = choice();
    const kept_ = { drop, protected: [...kept], method: store.state.method };
    host.remember({ page: 'chooseBlocks', folder: store.state.host.model.folder, choice: kept_ });
    host.ask('choose/keep', { choice: kept_ }).catch(() => {});
  };
  const moveTo = (row: Row) => {
    store.update({ current: row });
    focusRow();
  };

  /** Runs a request that a button stands for; the button waits, and a failure is said beside it. */
  const request = async (busy: typeof store.state.busy, work: () => Promise<string | null>) => {
    store.update({ busy, message: null });
    try {
      const text = await work();
      store.update({ busy: null, message: text === null ? null : { kind: 'done', text } });
    } catch (error) {
      store.update({ busy: null, message: { kind: 'failed', text: sentenceOf(error) } });
    }
  };
  const tell = (work: Promise<unknown>) => {
    work.catch((error) => store.update({ message: { kind: 'failed', text: sentenceOf(error) } }));
  };
  const repair = (): RepairOptions | null =>
    store.state.repair ? { kind: 'linear', ridge: 'auto', heldOutWindows: null } : null;

  return {
    ...whatIf,
    isConnected: () => store.state.host.connection.state === 'connected',

    // The choice.
    take: (drop: DropSet) => edit(take(choice(), drop)),
    takeSpan: (first: number, n: number) => edit(take(choice(), ofBlocks(span(first, n)))),
    clear: () => edit({ ...choice(), drop: emptyDropSet }),
    protect: (blocks: readonly number[], on: boolean) => edit(protect(choice(), blocks, on)),
    undo: () => setHistory(undo(store.state.history)),
    redo: () => setHistory(redo(store.state.history)),

    pick(event: MouseEvent, row: Row) {
      event.preventDefault();
      if (!isFixed(row)) {
        if (event.shiftKey && row.half === null)
          edit(setRange(choice(), store.state.anchor, row.block, !isDropped(choice().drop, row)));
        else edit(toggle(choice(), row));
      }
      store.update({ anchor: row.block });
      moveTo(row);
    },

    keyOnRow(event: KeyboardEvent) {
      if (!(event.target as Element).matches('tr') || event.altKey || event.ctrlKey || event.metaKey) return;
      const { current } = store.state;
      // Of the state and not of the last drawing: keys can come faster than frames.
      const rows = visibleRows(store.state);
      const at = rows.findIndex((row) => isRow(row, current));
      const to = {
        ArrowDown: at + 1,
        ArrowUp: at - 1,
        Home: 0,
        End: rows.length - 1,
        PageDown: at + 10,
        PageUp: at - 10,
      }[event.key];
      if (to !== undefined) {
        const row = rows[Math.max(0, Math.min(to, rows.length - 1))]!;
        if (event.shiftKey) edit(setRange(choice(), current.block, row.block, true));
        else store.update({ anchor: row.block });
        moveTo(row);
      } else if (event.key === ' ') {
        if (!isFixed(current)) edit(toggle(choice(), current));
        store.update({ anchor: current.block });
        focusRow();
      } else if (event.key.toLowerCase() === 'p') {
        edit(protect(choice(), [current.block], !choice().protected.includes(current.block)));
      } else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
        const open = new Set(store.state.open);
        if (event.key === 'ArrowRight') open.add(current.block);
        else open.delete(current.block);
        store.update({ open });
        moveTo({ block: current.block, half: event.key === 'ArrowRight' || store.state.allOpen ? current.half : null });
      } else return;
      event.preventDefault();
    },

    keyOnMap(event: KeyboardEvent, most: number) {
      const {
        cell,
        host: { model },
      } = store.state;
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (step) {
        const n = Math.max(1, Math.min(most, cell.count + step[1]!));
        const first = Math.max(0, Math.min(model.nBlocks - n, cell.first + step[0]!));
        this.showCell(first, n, true);
      } else if (event.key === 'Enter') this.takeSpan(cell.first, cell.count);
      else return;
      event.preventDefault();
    },

    // What is shown.
    showMethod(method: string) {
      if (method === store.state.method) return;
      store.update({ method });
      keep();
    },
    showCounts: (by: number) => store.update({ firstCount: Math.max(1, store.state.firstCount + by) }),
    showCell(first: number, n: number, preview: boolean) {
      if (!spanMethod(viewOf(store.state))?.spans?.[n - 1]) return;
      store.update({ cell: { first, count: n }, preview: preview ? span(first, n) : [] });
    },
    preview(blocks: readonly number[]) {
      if (blocks.join() !== store.state.preview.join()) store.update({ preview: blocks });
    },
    openAll: () => store.update({ allOpen: !store.state.allOpen }),
    openBlocks(blocks: readonly number[]) {
      store.update({ open: new Set([...store.state.open, ...blocks]) });
      moveTo({ block: blocks[0]!, half: null });
    },
    currentIs(row: Row) {
      if (!isRow(row, store.state.current)) store.update({ current: row });
    },
    setRepair: (on: boolean) => store.update({ repair: on }),

    // What the host does.
    prune: () =>
      request('prune', async () => {
        await host.ask('choose/prune', { drop: choice().drop, repair: repair() });
        return null;
      }),
    saveRecipe: () =>
      request('saveRecipe', async () => {
        const saved = await host.ask('choose/saveRecipe', { drop: choice().drop, repair: repair() });
        return saved && `Saved: prune without ${dropSetInWords(choice().drop)}, in ${saved.file}.`;
      }),
    analyze: () =>
      request('analyze', async () => {
        const { nBlocks } = store.state.host.model;
        const measure = store.state.host.offer?.measure ?? {
          removals: 'sublayers' as const,
          greedy: { count: Math.min(6, nBlocks - 1), of: 'blocks' as const, racingConfidence: null, protected: [] },
          suggestions: Math.min(5, nBlocks - 1),
          whatIf: [],
        };
        await host.ask('choose/analyze', { measure });
        return null;
      }),
    chooseText: () => tell(host.ask('choose/text', {})),
    cancelRun: (runId: string) => tell(host.ask('run/cancel', { runId })),
    openRun: (runId: string) => tell(host.ask('run/open', { runId })),
    openLog: () => tell(host.ask('log/open', {})),
    restart: () => tell(host.ask('server/restart', {})),
    tryIt() {
      const folder = store.state.host.pruning?.out;
      if (folder) tell(host.ask('model/try', { folder }));
    },
    async measureSpeed() {
      const { drop } = choice();
      const key = keyOf(drop);
      const set = (state: 'measuring' | 'failed' | 'measured', ratio: number, message = '') =>
        store.update({ speed: { key, state, ratio, message } });
      set('measuring', 1);
      try {
        const { baseMs, prunedMs } = await host.ask('choose/speed', { drop });
        set('measured', baseMs / prunedMs);
      } catch (error) {
        set('failed', 1, sentenceOf(error));
      }
      whatIf.hostChanged(false);
    },
  };

  /** A half that goes with its block, or that the model lacks already. */
  function isFixed({ block, half }: Row): boolean {
    if (half === null) return false;
    return choice().drop.blocks.includes(block) || store.state.host.model.droppedSublayers[half].includes(block);
  }
}
