// The state of the page of an evaluation and its transitions: what the host says, how the table is shown, and what is typed
// into the form.
import type { EvaluationSettings, EvaluationState, EvaluationView } from '../../server/protocol/pages/evaluate';
import { afterRequest, noRequest, type RequestAction, type RequestState } from '../requests';

export interface PageState extends RequestState {
  readonly host: EvaluationState;
  /** The row that has the tab stop. */
  readonly current: string | null;
  /** Rows whose details are shown. */
  readonly detailed: readonly string[];
  readonly copied: boolean;
}

export type Action =
  | { type: 'host'; host: EvaluationState }
  | { type: 'view'; changes: Partial<EvaluationView> }
  | { type: 'settings'; changes: Partial<EvaluationSettings> }
  | { type: 'current'; row: string }
  | { type: 'details'; row: string }
  | { type: 'copied'; copied: boolean }
  | RequestAction;

export const initialState = (host: EvaluationState): PageState => ({
  host,
  current: null,
  detailed: [],
  copied: false,
  ...noRequest,
});

/** The state itself where an action changes nothing. */
export function nextState(state: PageState, action: Action): PageState {
  switch (action.type) {
    case 'host':
      return withHost(state, action.host);
    case 'view':
      return { ...state, host: { ...state.host, view: { ...state.host.view, ...action.changes } } };
    case 'settings':
      return withSettings(state, action.changes);
    case 'current':
      return state.current === action.row ? state : { ...state, current: action.row };
    case 'details': {
      const others = state.detailed.filter((row) => row !== action.row);
      const detailed = others.length < state.detailed.length ? others : [...others, action.row];
      return { ...state, current: action.row, detailed };
    }
    case 'copied':
      return { ...state, copied: action.copied };
    default:
      return afterRequest(state, action);
  }
}

const runIdOf = ({ shown }: EvaluationState) => (shown.kind === 'run' ? shown.evaluation.run.runId : null);

/** How the table is shown is the page's to say, and what is typed is newer than what comes back. */
function withHost(state: PageState, host: EvaluationState): PageState {
  const { view, shown } = state.host;
  const isOther = runIdOf(host) !== runIdOf(state.host);
  const typed = shown.kind === 'form' ? shown.form.settings : null;
  const next: EvaluationState['shown'] =
    typed && host.shown.kind === 'form' ? { ...host.shown, form: { ...host.shown.form, settings: typed } } : host.shown;
  const kept = isOther ? { ...state, current: null, detailed: [], failure: null, written: null } : state;
  return { ...kept, host: { ...host, view, shown: next } };
}

/** Settings that have changed have neither plan nor refusal yet. */
function withSettings(state: PageState, changes: Partial<EvaluationSettings>): PageState {
  const { shown } = state.host;
  if (shown.kind !== 'form') return state;
  const form = { ...shown.form, settings: { ...shown.form.settings, ...changes }, plan: null, refusal: null };
  return { ...state, host: { ...state.host, shown: { kind: 'form', form } } };
}
