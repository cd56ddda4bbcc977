// Conversations as ids, with the loss on the answers alone: what is learned is what the model has to say itself.
import { type ChatTemplate, textOrThrow } from '../tokenizer/chatTemplate';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { anyOf, foundAnswers, isAnswer, markedAnswers, type Span } from './answers';
import type { Conversation } from './conversations';
import { openUseChecks } from './templateUse';

/** What the loss is taken on: ids [T] and for each whether its prediction counts; the first never does. */
export interface TrainingItem {
  readonly ids: Int32Array;
  readonly counted: Uint8Array;
}

type Encode = (text: string) => number[] | Promise<number[]>;

/**
 * Gives the items of a conversation, of any length: one, or one for every answer where the template writes earlier turns
 * otherwise than last ones (Qwen 3 leaves out what was thought). None without an answer that is learned. What follows the
 * last answer is left out, since nothing in it counts.
 * @throws UserError badData for a conversation or template that does not let us find the answers, or for a field of the
 * conversation that the template does not write
 */
export function openChatItems(
  tokenizer: Tokenizer,
  template: ChatTemplate,
): (conversation: Conversation) => Promise<TrainingItem[]> {
  const special = anyOf(tokenizer.specialTokens);
  const encode: Encode = (text) => tokenizer.encode(text, { addSpecialTokens: false });
  const checkUse = openUseChecks(template);
  const { eosTokenId } = tokenizer;
  const eosText = async () =>
    eosTokenId === null ? null : (await tokenizer.decode([eosTokenId], { skipSpecialTokens: false })).trim();
  let eos: Promise<string | null> | null = null;
  return async (conversation) => {
    const last = conversation.messages.findLastIndex(isAnswer);
    if (last < 0 || !conversation.learned.includes(true)) return [];
    const messages = conversation.messages.slice(0, last + 1);
    const upToAnswer = { ...conversation, messages };
    const [result] = await template.render([{ ...upToAnswer, addGenerationPrompt: false }]);
    const whole = textOrThrow(result!, conversation.where);
    await checkUse(upToAnswer, whole);
    const chats =
      whole.generated.length > 0
        ? await markedAnswers(upToAnswer, template, whole)
        : await foundAnswers(upToAnswer, template, { special, eos: await (eos ??= eosText()) });
    const items: TrainingItem[] = [];
    for (const { text, answers } of chats)
      if (answers.length > 0) items.push(await encodeAnswers(text, answers, encode));
    return items;
  };
}

/**
 * The ids of the whole text; those count whose text lies in one of the spans, which are in order and do not overlap.
 * A token that lies in a span in part counts too, as in transformers' masks: it would else never be learned.
 */
export async function encodeAnswers(text: string, spans: readonly Span[], encode: Encode): Promise<TrainingItem> {
  const ids = Int32Array.from(await encode(text));
  const borders = spans.flatMap(({ from, to }) => [from, to]);
  const places =
    (await placesBySegments(text, borders, ids, encode)) ?? (await placesByPrefixes(text, borders, ids, encode));
  const counted = new Uint8Array(ids.length);
  for (let i = 0; i < places.length; i += 2) counted.fill(1, places[i], places[i + 1]);
  counted[0] = 0; // nothing stands before it from which it could be predicted
  return { ids, counted };
}

/** Where the borders lie among the ids: after those of the segments before. null: the segments' ids are not the whole's. */
async function placesBySegments(
  text: string,
  borders: readonly number[],
  ids: Int32Array,
  encode: Encode,
): Promise<number[] | null> {
  const places: number[] = [];
  let place = 0;
  for (const [i, border] of [...borders, text.length].entries()) {
    for (const id of await encode(text.slice(borders[i - 1] ?? 0, border))) if (ids[place++] !== id) return null;
    places.push(place);
  }
  return place === ids.length ? places.slice(0, -1) : null;
}

/**
 * The same where a border lies in a token, or where a tokenizer begins every text in its own way (SentencePiece). A token
 * across the end of a span belongs to it as well.
 */
async function placesByPrefixes(
  text: string,
  borders: readonly number[],
  ids: Int32Array,
  encode: Encode,
): Promise<number[]> {
  const places: number[] = [];
  for (const [i, border] of borders.entries()) {
    const prefix = border === text.length ? null : await encode(text.slice(0, border));
    const differs = prefix?.findIndex((id, k) => id !== ids[k]) ?? -1;
    places.push(differs < 0 ? (prefix ?? ids).length : differs + (i % 2));
  }
  return places;
}
