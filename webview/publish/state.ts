// The state of the publish page and its transitions, and what can be done in it. Pure.
import type { PublishRun, PublishSettings, PublishState } from '../../server/protocol/pages/publish';
import { isOwnedRepository, isRevision } from '../../server/protocol/repositoryNames';
import type { ProofCheck } from '../../server/recipes/prove/recipe';
import type { PublishedFolder } from '../../server/recipes/publish/recipe';
import { isActive } from '../components/runState';
import { afterRequest, noRequest, type RequestAction, type RequestState } from '../requests';

export interface PageState extends RequestState {
  readonly host: PublishState;
  /** As they are typed. */
  readonly settings: PublishSettings;
}

export type Action =
  | RequestAction
  | { type: 'host'; host: PublishState }
  | { type: 'typed'; settings: Partial<PublishSettings> };

export const initialState = (host: PublishState): PageState => ({ ...noRequest, host, settings: host.settings });

export function nextState(state: PageState, action: Action): PageState {
  if (action.type === 'host') return { ...state, host: action.host };
  if (action.type === 'typed') return { ...state, settings: { ...state.settings, ...action.settings } };
  return afterRequest(state, action);
}

/** What is wrong with what was typed, in a sentence; null: nothing. */
export function problemOf({ repository, branch, tag, base }: PublishSettings): string | null {
  if (!isOwnedRepository(repository)) return 'Give the repository as OWNER/NAME.';
  if (!isRevision(branch)) return 'Give another name for the branch.';
  if (base !== '' && !isOwnedRepository(base)) return 'Give what it was made from as OWNER/NAME.';
  return tag === '' || isRevision(tag) ? null : 'Give another name for the tag.';
}

export const goesOn = ({ host }: PageState): PublishRun | null =>
  host.run && isActive(host.run.run.state) ? host.run : null;

/** What was looked at. */
export const previewed = ({ host }: PageState): PublishedFolder | null => host.preview?.report.published[0] ?? null;

/** Something was typed since. */
export const isStale = ({ host, settings }: PageState): boolean =>
  host.preview !== null && JSON.stringify(host.preview.settings) !== JSON.stringify(settings);

/** The hub was asked, which takes a token. */
export const isKnown = ({ creates }: PublishedFolder): boolean => creates !== null;

export const failedCheck = (checks: readonly ProofCheck[]): ProofCheck | null =>
  checks.find(({ outcome }) => outcome === 'failed') ?? null;

/** Whether one of the two ways on can be taken. */
export function mayDo(state: PageState): { readonly preview: boolean; readonly publish: boolean } {
  const isFree =
    state.host.connection.state === 'connected' && !state.busy && !goesOn(state) && problemOf(state.settings) === null;
  const looked = previewed(state);
  const publish =
    isFree && looked !== null && isKnown(looked) && !isStale(state) && failedCheck(looked.checks) === null;
  return { preview: isFree, publish };
}
