// What a person can do on the page: with the table, with the run, and before one.
import type {
  EvaluatePage,
  EvaluationSettings,
  EvaluationSort,
  EvaluationView,
} from '../../server/protocol/pages/evaluate';
import { type Host, sentenceOf } from '../host';
import { csvOf, jsonOf, markdownOf } from './exports';
import { nextSort } from './order';
import { settingsIn } from './settings';
import { type PageState, tableViewOf } from './view';

export interface EvaluateActions {
  sort(by: EvaluationSort['by'], variant: number): void;
  filter(words: string): void;
  significant(): void;
  open(group: string, open: boolean): void;
  /** The row that has the tab stop. */
  current(row: string): void;
  details(row: string): void;
  key(event: KeyboardEvent): void;
  copy(): void;
  exportAs(kind: 'csv' | 'json'): void;
  addVariant(): void;
  remove(what: { folder: string } | { runId: string }): void;
  settings(patch: Partial<EvaluationSettings>): void;
  chooseData(): void;
  start(): void;
  repeat(): void;
  /** The form, with these settings changed. */
  again(patch: Partial<EvaluationSettings>): void;
  saveRecipe(): void;
  cancel(): void;
  openLog(): void;
  restart(): void;
}

export interface ActionWiring {
  readonly host: Host<EvaluatePage>;
  state(): PageState;
  update(patch: Partial<PageState>): void;
}

const copiedMs = 2000;

export function actionsOn({ host, state, update }: ActionWiring): EvaluateActions {
  const tell = (work: Promise<unknown>, patch: Partial<PageState> = {}) => {
    update({ failure: null, ...patch });
    return work.then(
      () => update({ busy: false }),
      (error: unknown) => update({ busy: false, failure: sentenceOf(error) }),
    );
  };
  const show = (patch: Partial<EvaluationView>) => {
    const view = { ...state().host.view, ...patch };
    update({ host: { ...state().host, view } });
    host.ask('evaluate/keep', { view }).catch(() => {});
  };
  const settings = (): EvaluationSettings => {
    const { shown } = state().host;
    return shown.kind === 'form' ? shown.form.settings : settingsIn(shown.evaluation.recipe);
  };
  const written = (work: Promise<{ file: string } | null>) =>
    tell(
      work.then((result) => update({ written: result?.file ?? null })),
      { written: null },
    );
  const toggled = (row: string) => {
    const { detailed } = state();
    return detailed.includes(row) ? detailed.filter((other) => other !== row) : [...detailed, row];
  };
  let copied: ReturnType<typeof setTimeout> | undefined;

  const act: EvaluateActions = {
    sort: (by, variant) => show({ sort: nextSort(state().host.view.sort, by, variant) }),
    filter: (filter) => show({ filter }),
    significant: () => show({ significant: !state().host.view.significant }),
    open: (group, open) => show({ opened: { ...state().host.view.opened, [group]: open } }),
    current(current) {
      if (state().current !== current) update({ current });
    },
    details: (row) => update({ current: row, detailed: toggled(row) }),
    key: (event) => pressed(event, state(), act),
    copy() {
      const view = tableViewOf(state());
      if (!view) return;
      void tell(host.ask('text/copy', { text: markdownOf(view) }), { copied: true });
      clearTimeout(copied);
      copied = setTimeout(() => update({ copied: false }), copiedMs);
    },
    exportAs(kind) {
      const view = tableViewOf(state());
      if (!view) return;
      void written(host.ask('evaluate/export', { kind, content: kind === 'csv' ? csvOf(view) : jsonOf(view) }));
    },
    addVariant: () => void tell(host.ask('evaluate/addVariant', {})),
    remove: (what) => void tell(host.ask('evaluate/remove', what)),
    settings(patch) {
      const { host: now } = state();
      if (now.shown.kind !== 'form') return;
      const next = { ...now.shown.form.settings, ...patch };
      const form = { ...now.shown.form, settings: next, plan: null, refusal: null };
      update({ host: { ...now, shown: { kind: 'form', form } } });
      host.ask('evaluate/settings', { settings: next }).catch((error) => update({ failure: sentenceOf(error) }));
    },
    chooseData: () => void tell(host.ask('evaluate/data', {})),
    start: () => void tell(host.ask('evaluate/start', { settings: settings() }), { busy: true }),
    repeat: () => void tell(host.ask('evaluate/repeat', {}), { busy: true }),
    again: (patch) => void tell(host.ask('evaluate/again', { settings: { ...settings(), ...patch } })),
    saveRecipe() {
      const isForm = state().host.shown.kind === 'form';
      void written(host.ask('evaluate/saveRecipe', { settings: isForm ? settings() : null }));
    },
    cancel() {
      const { shown } = state().host;
      if (shown.kind === 'run') void tell(host.ask('run/cancel', { runId: shown.evaluation.run.runId }));
    },
    openLog: () => void tell(host.ask('log/open', {})),
    restart: () => void tell(host.ask('server/restart', {})),
  };
  return act;
}

/** The rows are one tab stop: arrows move, Right and Left open and close a group, Enter shows what more is known. */
function pressed(event: KeyboardEvent, state: PageState, act: EvaluateActions): void {
  const row = event.target instanceof HTMLElement && event.target.matches('tr[data-row]') ? event.target : null;
  const view = tableViewOf(state);
  if (!row || !view || event.ctrlKey || event.metaKey || event.altKey) return;
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
