// The one state of the panel, and the telling of its changes.
import type { ChooseBlocksState } from '../../server/protocol/pages/chooseBlocks';
import { fitting } from './choice';
import { begin } from './history';
import type { PageState } from './view';

export interface Store {
  readonly state: PageState;
  update(patch: Partial<PageState>): void;
}

export function openStore(initial: PageState, changed: () => void): Store {
  let state = initial;
  return {
    get state() {
      return state;
    },
    update(patch) {
      state = { ...state, ...patch };
      changed();
    },
  };
}

export function initialState(host: ChooseBlocksState): PageState {
  const { choice, model } = host;
  const present = fitting({ drop: choice.drop, protected: choice.protected }, model.nBlocks);
  const first = present.drop.blocks[0] ?? 0;
  return {
    host,
    history: begin(present),
    method: choice.method,
    open: new Set([...present.drop.attention, ...present.drop.mlp]),
    allOpen: false,
    current: { block: first, half: null },
    anchor: first,
    firstCount: 1,
    cell: { first, count: Math.max(1, Math.min(present.drop.blocks.length, model.nBlocks - first)) },
    preview: [],
    repair: false,
    answers: new Map(),
    asking: null,
    refusal: null,
    queue: null,
    speed: null,
    message: null,
    busy: null,
  };
}
