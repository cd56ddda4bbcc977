// The text on which an evaluation says what narrower matrices cost: the first items with their right answers, one after the
// other, as sequences of equal length.
import { encodeRequest } from '../../evaluation/encode';
import type { Item } from '../../evaluation/tasks/task';
import type { Tokenizer } from '../../tokenizer/tokenizer';

const mostSequences = 2;
const mostTokens = 512;

/** null: there are fewer than two tokens. */
export async function comparedText(
  items: readonly Item[],
  tokenizer: Tokenizer,
  maxTokens: number,
): Promise<Int32Array[] | null> {
  const tokens = Math.min(mostTokens, maxTokens);
  const ids: number[] = [];
  for (const { requests, gold } of items) {
    for (const { context, continuation } of await encodeRequest(tokenizer, requests[gold ?? 0]!, maxTokens))
      ids.push(...context, ...continuation);
    if (ids.length >= mostSequences * tokens) break;
  }
  if (ids.length < 2) return null;
  const each = Math.min(tokens, ids.length);
  const nSequences = Math.min(mostSequences, Math.floor(ids.length / each));
  return Array.from({ length: nSequences }, (_, i) => Int32Array.from(ids.slice(i * each, (i + 1) * each)));
}
