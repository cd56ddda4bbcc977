// A size that was asked for in the place of a count, and what meets it.
import type { Budget, DropSet } from '../../server/protocol/recipes';
import type { Fitting } from '../../server/protocol/reports';
import { keyOf } from '../../server/shared/dropSets';

/** What was typed, and what came of it. */
export interface AskedSize {
  readonly text: string;
  readonly contextTokens: number;
  /** null: nothing was asked for. */
  readonly found: FoundSize | null;
}

export type FoundSize =
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'found'; readonly drop: DropSet; readonly budget: Budget; readonly fitting: Fitting };

export const noSize: AskedSize = { text: '', contextTokens: 0, found: null };

/** What goes with the present choice; null: another one was made since. */
export function fittingOf({ found }: AskedSize, drop: DropSet): Fitting | null {
  return found?.kind === 'found' && keyOf(found.drop) === keyOf(drop) ? found.fitting : null;
}

/** null: all channels stay. */
export const mlpWidthOf = (asked: AskedSize, drop: DropSet): number | null => fittingOf(asked, drop)?.mlpWidth ?? null;
