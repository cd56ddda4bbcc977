// The state of a page and when it is drawn. A page is an initial state, a pure function from a state and an action to the
// next state, and a rendering of a state. It is rendered with the next frame, at most thirty times a second.

export interface PageStore<State, Action> {
  readonly state: State;
  dispatch(action: Action): void;
}

/** `changed` is called after each action that gave another state, with that action. */
export function openPageStore<State, Action>(
  initial: State,
  nextState: (state: State, action: Action) => State,
  changed: (action: Action) => void,
): PageStore<State, Action> {
  let state = initial;
  return {
    get state() {
      return state;
    },
    dispatch(action) {
      const before = state;
      state = nextState(before, action);
      if (state !== before) changed(action);
    },
  };
}

const leastMs = 1000 / 30;

/** Returns a function that asks for a rendering. Calls before the next rendering count as one. */
export function renderer(render: () => void): () => void {
  let last = Number.NEGATIVE_INFINITY;
  let waiting = false;
  const frame = (now: number) => {
    if (now - last < leastMs - 2) {
      requestAnimationFrame(frame);
      return;
    }
    waiting = false;
    last = now;
    render();
  };
  return () => {
    if (waiting) return;
    waiting = true;
    // A hidden page gets no frames; it renders once it is seen again.
    requestAnimationFrame(frame);
  };
}
