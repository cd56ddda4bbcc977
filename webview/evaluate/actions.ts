// What a person can do on the page of an evaluation: with the table, with the run, and before one. Each function changes the
// state (state.ts) or asks the host.
import type {
  EvaluatePage,
  EvaluationSettings,
  EvaluationSort,
  EvaluationView,
} from '../../server/protocol/pages/evaluate';
import type { Host } from '../host';
import type { PageStore } from '../pageStore';
import { requestsOf } from '../requests';
import { csvOf, jsonOf, markdownOf } from './exports';
import { nextSort } from './order';
import { settingsIn } from './settings';
import type { Action, PageState } from './state';
import { type TableView, tableViewOf } from './view';

export interface ActionWiring {
  readonly host: Host<EvaluatePage>;
  readonly store: PageStore<PageState, Action>;
}

export type EvaluateActions = ReturnType<typeof actionsOn>;

export const actionsOn = (wiring: ActionWiring) => ({
  ...tableActions(wiring),
  ...exportActions(wiring),
  ...runActions(wiring),
});

const copiedMs = 2000;

function tableActions({ host, store }: ActionWiring) {
  const show = (changes: Partial<EvaluationView>) => {
    store.dispatch({ type: 'view', changes });
    host.ask('evaluate/keep', { view: store.state.host.view }).catch(() => {});
  };
  const view = () => store.state.host.view;
  const open = (group: string, isOpen: boolean) => show({ opened: { ...view().opened, [group]: isOpen } });
  const details = (row: string) => store.dispatch({ type: 'details', row });
  return {
    sort: (by: EvaluationSort['by'], variant: number) => show({ sort: nextSort(view().sort, by, variant) }),
    filter: (filter: string) => show({ filter }),
    significant: () => show({ significant: !view().significant }),
    open,
    details,
    /** The row that has the tab stop. */
    current: (row: string) => store.dispatch({ type: 'current', row }),
    key(event: KeyboardEvent) {
      const table = tableViewOf(store.state);
      if (table) onKey(event, table, { open, details });
    },
  };
}

function exportActions({ host, store }: ActionWiring) {
  const { send, write } = requestsOf(store.dispatch);
  let copied: ReturnType<typeof setTimeout> | undefined;
  return {
    copy() {
      const view = tableViewOf(store.state);
      if (!view) return;
      send(host.ask('text/copy', { text: markdownOf(view) }));
      store.dispatch({ type: 'copied', copied: true });
      clearTimeout(copied);
      copied = setTimeout(() => store.dispatch({ type: 'copied', copied: false }), copiedMs);
    },
    exportAs(kind: 'csv' | 'json') {
      const view = tableViewOf(store.state);
      if (!view) return;
      write(host.ask('evaluate/export', { kind, content: kind === 'csv' ? csvOf(view) : jsonOf(view) }));
    },
  };
}

function runActions({ host, store }: ActionWiring) {
  const { send, sendQuietly, write } = requestsOf(store.dispatch);
  const settings = (): EvaluationSettings => {
    const { shown } = store.state.host;
    return shown.kind === 'form' ? shown.form.settings : settingsIn(shown.evaluation.recipe);
  };
  const isForm = () => store.state.host.shown.kind === 'form';
  return {
    addVariant: () => send(host.ask('evaluate/addVariant', {})),
    remove: (what: { folder: string } | { runId: string }) => send(host.ask('evaluate/remove', what)),
    settings(changes: Partial<EvaluationSettings>) {
      if (!isForm()) return;
      store.dispatch({ type: 'settings', changes });
      sendQuietly(host.ask('evaluate/settings', { settings: settings() }));
    },
    chooseData: (from: 'folder' | 'cache') => send(host.ask('evaluate/data', { from })),
    pullData: () => send(host.ask('evaluate/pull', {}), 'busy'),
    start: () => send(host.ask('evaluate/start', { settings: settings() }), 'busy'),
    repeat: () => send(host.ask('evaluate/repeat', {}), 'busy'),
    /** The form, with these settings changed. */
    again: (changes: Partial<EvaluationSettings>) =>
      send(host.ask('evaluate/again', { settings: { ...settings(), ...changes } })),
    saveRecipe: () => write(host.ask('evaluate/saveRecipe', { settings: isForm() ? settings() : null })),
    cancel() {
      const { shown } = store.state.host;
      if (shown.kind === 'run') send(host.ask('run/cancel', { runId: shown.evaluation.run.runId }));
    },
    openLog: () => send(host.ask('log/open', {})),
    restart: () => send(host.ask('server/restart', {})),
  };
}

/** The rows are one tab stop: arrows move, Right and Left open and close a group, Enter shows what more is known. */
function onKey(
  event: KeyboardEvent,
  view: TableView,
  act: { open(group: string, isOpen: boolean): void; details(row: string): void },
): void {
  const row = event.target instanceof HTMLElement && event.target.matches('tr[data-row]') ? event.target : null;
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...(row.parentElement?.querySelectorAll<HTMLElement>('tr[data-row]') ?? [])];
  const at = rows.indexOf(row);
  const shown = view.shown[at];
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (to !== undefined) rows[Math.max(0, Math.min(rows.length - 1, to))]?.focus();
  else if (event.key === 'Enter' || event.key === ' ') act.details(row.dataset.row ?? '');
  else if (event.key === 'ArrowRight' && shown?.open === false) act.open(shown.row.key, true);
  else if (event.key === 'ArrowLeft' && shown?.open === true) act.open(shown.row.key, false);
  else return;
  event.preventDefault();
}
