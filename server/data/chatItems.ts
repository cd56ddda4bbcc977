// Conversations as ids, with the loss on the answers alone: what is learned is what the model has to say itself.
import { UserError } from '../errors';
import type { ChatTemplate, Message } from '../tokenizer/chatTemplate';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { Conversation } from './conversations';

/** What the loss is taken on: ids [T] and for each whether its prediction counts; the first never does. */
export interface TrainingItem {
  readonly ids: Int32Array;
  readonly counted: Uint8Array;
}

/**
 * Gives the items of a conversation, of any length: one, or one for every answer where the template writes earlier turns
 * otherwise than last ones (Qwen 3 leaves out what was thought). None without an answer. What follows the last answer is
 * left out, since nothing in it counts.
 * @throws UserError badData for a conversation or template that does not let us find the answers
 */
export function openChatItems(
  tokenizer: Tokenizer,
  template: ChatTemplate,
): (conversation: Conversation) => TrainingItem[] {
  const endOfTurn = anyOf(tokenizer.specialTokens);
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
  return (conversation) =>
    writtenChats(conversation, template, endOfTurn).map(({ text, answers }) => encodeAnswers(text, answers, encode));
}

/** A half-open range of a text's characters (UTF-16 units). */
export interface Span {
  readonly from: number;
  readonly to: number;
}

interface WrittenChat {
  text: string;
  answers: Span[];
}

/** Turn i is the answer between the prompt that ends in its header and the conversation up to and with itself. */
function writtenChats({ messages, where }: Conversation, template: ChatTemplate, endOfTurn: RegExp): WrittenChat[] {
  const chats: WrittenChat[] = [];
  messages.forEach((message, i) => {
    if (message.role !== 'assistant') return;
    const prompt = template.render(messages.slice(0, i), { addGenerationPrompt: true, where });
    const text = template.render(messages.slice(0, i + 1), { addGenerationPrompt: false, where });
    if (!text.startsWith(prompt)) throw noAnswerFound(where, i);
    const answer = {
      from: prompt.length,
      to: prompt.length + answerLength(text.slice(prompt.length), message, endOfTurn),
    };
    const last = chats.at(-1);
    if (last && text.startsWith(last.text)) {
      last.text = text;
      last.answers.push(answer);
    } else chats.push({ text, answers: [answer] });
  });
  return chats;
}

/** Up to the end-of-turn token: a line end behind it, or a header that some templates always add, is never generated. */
function answerLength(written: string, { content }: Message, endOfTurn: RegExp): number {
  const said = content.trim();
  endOfTurn.lastIndex = Math.max(0, written.indexOf(said)) + (written.includes(said) ? said.length : 0);
  return endOfTurn.test(written) ? endOfTurn.lastIndex : written.length;
}

/** Finds the next of these strings from `lastIndex` on, the longest where several begin. */
function anyOf(strings: readonly string[]): RegExp {
  const longestFirst = strings.filter((string) => string !== '').sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((string) => string.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  return new RegExp(escaped.join('|') || '(?!)', 'g');
}

/**
 * The ids of the whole text; those count whose text lies in one of the spans, which are in order and do not overlap.
 * A token that begins before a span and ends in it counts, since part of the answer would else never be learned.
 */
export function encodeAnswers(text: string, spans: readonly Span[], encode: (text: string) => number[]): TrainingItem {
  const ids = Int32Array.from(encode(text));
  const borders = spans.flatMap(({ from, to }) => [from, to]);
  const places = placesBySegments(text, borders, ids, encode) ?? placesByPrefixes(text, borders, ids, encode);
  const counted = new Uint8Array(ids.length);
  for (let i = 0; i < places.length; i += 2) counted.fill(1, places[i], places[i + 1]);
  counted[0] = 0; // nothing stands before it from which it could be predicted
  return { ids, counted };
}

/** Where the borders lie among the ids: after those of the segments before. null: the segments' ids are not the whole's. */
function placesBySegments(
  text: string,
  borders: readonly number[],
  ids: Int32Array,
  encode: (text: string) => number[],
): number[] | null {
  const places: number[] = [];
  let place = 0;
  for (const [i, border] of [...borders, text.length].entries()) {
    for (const id of encode(text.slice(borders[i - 1] ?? 0, border))) if (ids[place++] !== id) return null;
    places.push(place);
  }
  return place === ids.length ? places.slice(0, -1) : null;
}

/** The same where a border lies in a token, or where a tokenizer begins every text in its own way (SentencePiece). */
const placesByPrefixes = (
  text: string,
  borders: readonly number[],
  ids: Int32Array,
  encode: (text: string) => number[],
): number[] =>
  borders.map((border) => {
    if (border === text.length) return ids.length;
    const prefix = encode(text.slice(0, border));
    const differs = prefix.findIndex((id, i) => id !== ids[i]);
    return differs < 0 ? prefix.length : differs;
  });

const noAnswerFound = (where: string, i: number) =>
  new UserError(
    'badData',
    `${where}: the model's chat template writes what stands before the answer (message ${i}) otherwise once the answer is there, so the answer cannot be told from it; give the data as text.`,
  );
