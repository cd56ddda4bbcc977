// Undo and redo: the present value, the values before it, and those that were undone.

export interface History<T> {
  readonly past: readonly T[];
  readonly present: T;
  readonly future: readonly T[];
}

/** More steps than anyone undoes by hand. */
const most = 200;

export const begin = <T>(present: T): History<T> => ({ past: [], present, future: [] });

export const change = <T>({ past, present }: History<T>, next: T): History<T> => ({
  past: [...past, present].slice(-most),
  present: next,
  future: [],
});

export function undo<T>(history: History<T>): History<T> {
  const previous = history.past.at(-1);
  if (previous === undefined) return history;
  return { past: history.past.slice(0, -1), present: previous, future: [history.present, ...history.future] };
}

export function redo<T>(history: History<T>): History<T> {
  const [next, ...future] = history.future;
  if (next === undefined) return history;
  return { past: [...history.past, history.present], present: next, future };
}
