// What a person has set in a panel, kept by the workspace over reloads of the window.
import type { Memento } from 'vscode';
import { withNamesOfNow } from '../../server/shared/earlierNames';

export interface Remembered<T> {
  readonly value: T;
  keep(value: T): Promise<void>;
}

/** @param defaults stand for what was never set, and for what an older version did not know yet */
export function openRemembered<T extends object>(
  memory: Pick<Memento, 'get' | 'update'>,
  key: string,
  defaults: T,
): Remembered<T> {
  let value: T = { ...defaults, ...(withNamesOfNow(memory.get(key)) as Partial<T> | undefined) };
  return {
    get value() {
      return value;
    },
    async keep(next) {
      value = next;
      await memory.update(key, next);
    },
  };
}
