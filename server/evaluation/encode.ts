// Requests in text to requests in tokens, by lm-evaluation-harness' rules: where context and continuation are parted, what
// stands before a text without context, what is cut off on the left, and sequences over a text that is longer than an input.
import { UserError } from '../errors';
import type { ModelConfig } from '../model/config';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { TokenRequest } from '../execution/tokenTree';
import { rstrip } from './tasks/pythonText';
import type { TextRequest } from './tasks/task';

/**
 * One for a continuation; as many as there are sequences for a rolling text, each of whose tokens is in one continuation.
 * The ids of the newest context are kept for the next request, since a question's choices have theirs in common.
 * @throws UserError badChoice for a continuation that is too long, badData for one without tokens, unsupportedModel
 */
export async function encodeRequest(
  tokenizer: Tokenizer,
  request: TextRequest,
  maxTokens: number,
): Promise<TokenRequest[]> {
  if (request.kind === 'rolling')
    return sequences(await encode(tokenizer, request.text), prefixToken(tokenizer), maxTokens);
  const { context, continuation } = await split(tokenizer, request.context, request.continuation);
  if (context.length === 0) throw noTokens(request.context);
  if (continuation.length === 0) throw noTokens(request.continuation);
  if (continuation.length > maxTokens) throw tooLong(continuation.length, maxTokens);
  // The choices of a question have one array of context in common, as long as nothing is cut off.
  if (context.length + continuation.length <= maxTokens + 1) return [{ context, continuation }];
  const whole = [...context, ...continuation].slice(-(maxTokens + 1));
  return [{ context: whole.slice(0, whole.length - continuation.length), continuation }];
}

/** The longest input: what was asked for, or what the configuration says. */
export const maxTokensOf = (config: Pick<ModelConfig, 'contextLength'>, explicit: number | null): number =>
  explicit ?? config.contextLength;

async function split(tokenizer: Tokenizer, context: string, continuation: string): Promise<TokenRequest> {
  if (context === '') {
    const prefix = prefixToken(tokenizer);
    const ids = await tokenizer.encode(continuation, { addSpecialTokens: false });
    return { context: [prefix], continuation: ids[0] === prefix ? ids.slice(1) : ids };
  }
  // A word and the space before it are one token, so spaces at the end belong to what comes. The context's ids are taken
  // off by their number alone: where a token reaches over the border, it counts as context.
  const bare = rstrip(context);
  const whole = await encode(tokenizer, context + continuation);
  const before = await contextIds(tokenizer, bare);
  return { context: before, continuation: whole.slice(before.length) };
}

const newest = new WeakMap<Tokenizer, { text: string; ids: number[] }>();

async function contextIds(tokenizer: Tokenizer, text: string): Promise<number[]> {
  const known = newest.get(tokenizer);
  if (known?.text === text) return known.ids;
  const ids = await encode(tokenizer, text);
  newest.set(tokenizer, { text, ids });
  return ids;
}

/** With the tokenizer's own special tokens, unless the text begins with the first of them already. */
async function encode(tokenizer: Tokenizer, text: string): Promise<number[]> {
  const prefix = tokenizer.bosTokenId ?? tokenizer.eosTokenId;
  const written = prefix === null ? null : await tokenizer.decode([prefix], { skipSpecialTokens: false });
  const addSpecialTokens = written === null || !text.startsWith(written);
  return tokenizer.encode(text, { addSpecialTokens, sharesBeginning: true });
}

/**
 * The first sequence predicts from the prefix token alone, even where the ids begin with it themselves: then it is predicted
 * from itself. The last one is as long as the others and has more context instead.
 */
function sequences(ids: readonly number[], prefix: number, maxTokens: number): TokenRequest[] {
  const requests: TokenRequest[] = [];
  for (let first = 0; first < ids.length; first += maxTokens) {
    const end = Math.min(first + maxTokens, ids.length);
    const context = first === 0 ? [prefix] : ids.slice(end - maxTokens - 1, first);
    requests.push({ context, continuation: ids.slice(first, end) });
  }
  return requests;
}

function prefixToken({ bosTokenId, eosTokenId }: Tokenizer): number {
  const prefix = bosTokenId ?? eosTokenId;
  if (prefix !== null) return prefix;
  throw new UserError(
    'unsupportedModel',
    'The tokenizer has no token for the beginning or the end of a text, which a text without context needs; ' +
      'leave out tasks such as wikitext.',
  );
}

const noTokens = (continuation: string) =>
  new UserError(
    'badData',
    `The tokenizer makes no tokens of ${JSON.stringify(continuation)} in its place; leave the item out.`,
  );

const tooLong = (nTokens: number, maxTokens: number) =>
  new UserError(
    'badChoice',
    `A continuation has ${nTokens} tokens, and an input at most ${maxTokens}; allow longer inputs, or leave out the task.`,
  );
