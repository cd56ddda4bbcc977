// The state of the page of a healing and its transitions: what the host says, how the curve is shown, and what is typed into
// the form. The points of the curve are not in it: they come by the thousand and lie in curve.ts.
import type { HealSettings, HealState, HealView } from '../../server/protocol/pages/heal';
import { afterRequest, noRequest, type RequestAction, type RequestState } from '../requests';

export interface PageState extends RequestState {
  readonly host: HealState;
  /** The part of the horizontal axis that is shown; null: all of it. In the unit of `view.by`. */
  readonly zoom: { readonly from: number; readonly to: number } | null;
  /** The step that the crosshair is on, from 1; null: it is away. */
  readonly cross: { readonly step: number; readonly pinned: boolean } | null;
  /** Pixels from the left edge of the chart, while a part is being chosen. */
  readonly drag: { readonly from: number; readonly to: number } | null;
  /** The ways to export are shown. */
  readonly menu: boolean;
}

export type Action =
  | { type: 'host'; host: HealState }
  | { type: 'view'; changes: Partial<HealView> }
  | { type: 'settings'; changes: Partial<HealSettings> }
  | { type: 'zoom'; zoom: PageState['zoom'] }
  | { type: 'drag'; drag: PageState['drag'] }
  | { type: 'cross'; cross: PageState['cross'] }
  | { type: 'menu' }
  | RequestAction;

const untouched = { zoom: null, cross: null, drag: null, menu: false };

export const initialState = (host: HealState): PageState => ({ host, ...untouched, ...noRequest });

/** The state itself where an action changes nothing. */
export function nextState(state: PageState, action: Action): PageState {
  switch (action.type) {
    case 'host':
      return withHost(state, action.host);
    case 'view': {
      const view = { ...state.host.view, ...action.changes };
      // The part that was shown means nothing in another unit.
      const zoom = view.by === state.host.view.by ? state.zoom : null;
      return { ...state, zoom, host: { ...state.host, view } };
    }
    case 'settings':
      return withSettings(state, action.changes);
    case 'zoom':
      return { ...state, zoom: action.zoom };
    case 'drag':
      return { ...state, drag: action.drag };
    case 'cross': {
      const { cross } = state;
      const isSame = cross?.step === action.cross?.step && cross?.pinned === action.cross?.pinned;
      return isSame ? state : { ...state, cross: action.cross };
    }
    case 'menu':
      return { ...state, menu: !state.menu };
    default: {
      const next = afterRequest(state, action);
      return action.type === 'requested' && action.kind === 'writing' ? { ...next, menu: false } : next;
    }
  }
}

export const runIdOf = ({ shown }: Pick<HealState, 'shown'>): string | null =>
  shown.kind === 'run' ? shown.healing.run.runId : null;

/** How the curve is shown is the page's to say, and what is typed is newer than what comes back. */
function withHost(state: PageState, host: HealState): PageState {
  const { view, shown } = state.host;
  const isOther = runIdOf(host) !== runIdOf(state.host);
  const typed = shown.kind === 'form' ? shown.form.settings : null;
  const next: HealState['shown'] =
    typed && host.shown.kind === 'form' ? { ...host.shown, form: { ...host.shown.form, settings: typed } } : host.shown;
  const kept = isOther ? { ...state, ...untouched, failure: null, written: null } : state;
  return { ...kept, host: { ...host, view, shown: next } };
}

/** Settings that have changed have no plan yet. */
function withSettings(state: PageState, changes: Partial<HealSettings>): PageState {
  const { shown } = state.host;
  if (shown.kind !== 'form') return state;
  const form = { ...shown.form, settings: { ...shown.form.settings, ...changes }, plan: null };
  return { ...state, host: { ...state.host, shown: { kind: 'form', form } } };
}
