// What is chosen before a run and what that would cost: the settings are remembered, and the server is asked for a plan
// after each change. The transitions are pure; a plan that comes late, for settings of before, changes nothing.
import type { Memento } from 'vscode';
import type { PlanEstimate } from '../../server/protocol/engine';
import type { Recipe } from '../../server/recipes/kinds';
import type { Connection } from '../connection';
import { openRemembered } from './remembered';

export interface FormState<Settings> {
  readonly settings: Settings;
  /** null until it is known, and where it cannot be. */
  readonly plan: PlanEstimate | null;
  /** Why there is no plan, in a sentence. */
  readonly refusal: string | null;
  /** Number of the newest question; answers to others do not count. */
  readonly question: number;
}

export type FormEvent<Settings> =
  | { kind: 'settingsChosen'; settings: Settings }
  /** What is to be run has changed, though not by the settings. */
  | { kind: 'planForgotten' }
  | { kind: 'planAsked' }
  | { kind: 'planned'; question: number; plan: PlanEstimate }
  | { kind: 'refused'; question: number; refusal: string };

export function reduceForm<Settings>(state: FormState<Settings>, event: FormEvent<Settings>): FormState<Settings> {
  const question = state.question + 1;
  switch (event.kind) {
    case 'settingsChosen':
      return { settings: event.settings, plan: null, refusal: null, question };
    case 'planForgotten':
      return { ...state, plan: null, refusal: null, question };
    case 'planAsked':
      return { ...state, question };
    case 'planned':
      return event.question === state.question ? { ...state, plan: event.plan, refusal: null } : state;
    case 'refused':
      return event.question === state.question ? { ...state, plan: null, refusal: event.refusal } : state;
  }
}

export interface Form<Settings> {
  readonly state: FormState<Settings>;
  /** Remembers what was chosen. */
  take(settings: Settings): Promise<void>;
  forgetPlan(): void;
  /** Asks what the run would cost; its answer is in the state then. */
  plan(recipe: Recipe): Promise<void>;
}

/**
 * @param memory where the settings are kept under `key`
 * @param changed is called after each change of the state
 */
export function openForm<Settings extends object>(
  memory: Pick<Memento, 'get' | 'update'>,
  key: string,
  defaults: Settings,
  { request }: Pick<Connection, 'request'>,
  changed: () => void,
): Form<Settings> {
  const remembered = openRemembered(memory, key, defaults);
  let state: FormState<Settings> = { settings: remembered.value, plan: null, refusal: null, question: 0 };
  const dispatch = (event: FormEvent<Settings>) => {
    state = reduceForm(state, event);
    changed();
  };
  return {
    get state() {
      return state;
    },
    async take(chosen) {
      dispatch({ kind: 'settingsChosen', settings: chosen });
      await remembered.keep(chosen);
    },
    forgetPlan: () => dispatch({ kind: 'planForgotten' }),
    async plan(recipe) {
      dispatch({ kind: 'planAsked' });
      const { question } = state;
      dispatch(
        await request('plan/make', { recipe }).then(
          (plan) => ({ kind: 'planned' as const, question, plan }),
          (error: unknown) => ({ kind: 'refused' as const, question, refusal: sentenceOf(error) }),
        ),
      );
    },
  };
}

const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
