// A short text that every model can be asked about, for checks that need no text of the person's.
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { Tokenizer } from '../tokenizer/tokenizer';

const text =
  'Once upon a time there was a gardener who trained a pear tree flat against a wall. Every winter she took away the branches ' +
  'that it did not need, and every summer it bore more fruit than the year before.';

const mostTokens = 48;

/** Its first ids, as many as the model takes. */
export async function fixedIds({ config }: Checkpoint, tokenizer: Tokenizer): Promise<Int32Array> {
  const ids = await tokenizer.encode(text, { addSpecialTokens: true });
  return Int32Array.from(ids.slice(0, Math.min(mostTokens, config.contextLength)));
}
