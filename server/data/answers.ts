// Where the answers lie in a conversation that a chat template has written.
import { UserError } from '../errors';
import { type ChatTemplate, type Message, textOrThrow, type Written } from '../tokenizer/chatTemplate';
import { type Conversation, promptUpTo, withMessage } from './conversations';

/** A half-open range of a text's characters (UTF-16 units). */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface WrittenChat {
  text: string;
  /** Those that are learned. */
  answers: Span[];
}

export const isAnswer = ({ role }: Message) => role === 'assistant';

/** The template says itself, by {% generation %}, what the model writes; as transformers' assistant masks have it. */
export async function markedAnswers(
  conversation: Conversation,
  template: ChatTemplate,
  { text, generated }: Written,
): Promise<WrittenChat[]> {
  const { messages, learned, where } = conversation;
  const spans = generated.map(([from, to]) => ({ from, to }));
  if (messages.every((message, i) => learned[i] || !isAnswer(message))) return [{ text, answers: spans }];
  // Whose spans they are, by how many there are up to each answer.
  const answers = [...messages.keys()].filter((i) => isAnswer(messages[i]!));
  const prompts = answers.map((i) => promptUpTo(conversation, i + 1, false));
  const counts = (await template.render(prompts)).map((it) => textOrThrow(it, where).generated.length);
  if (counts.some((count, k) => count <= (counts[k - 1] ?? 0)) || counts.at(-1) !== spans.length)
    throw new UserError(
      'badData',
      `${where} has answers that are not learned, but the model's chat template marks not every answer; leave them out.`,
    );
  const kept = answers.flatMap((i, k) => (learned[i] ? spans.slice(counts[k - 1] ?? 0, counts[k]) : []));
  return [{ text, answers: kept }];
}

/** What ends a turn. */
export interface EndOfTurn {
  /** Finds the tokens that are no text, one after the other. */
  readonly special: RegExp;
  /** The one after which nothing follows, as it is written; null: there is none. */
  readonly eos: string | null;
}

/**
 * Turn i is the answer between the prompt that ends in its header and the conversation up to and with itself. It lies in a
 * later text if that begins alike up to the answer's end, and else in a text of its own.
 */
export async function foundAnswers(
  conversation: Conversation,
  template: ChatTemplate,
  endOfTurn: EndOfTurn,
): Promise<WrittenChat[]> {
  const { messages, learned, where } = conversation;
  const answers = [...messages.keys()].filter((i) => isAnswer(messages[i]!));
  const prompts = answers.flatMap((i) => [
    promptUpTo(conversation, i, true),
    promptUpTo(conversation, i + 1, false),
    promptUpTo(withMessage(conversation, i, { role: 'assistant', content: plainAnswer }), i + 1, false),
  ]);
  const written = await template.render(prompts);
  const chats: WrittenChat[] = [];
  for (const [k, i] of [...answers.entries()].reverse()) {
    const [before, whole, plain] = written.slice(3 * k, 3 * k + 3) as [Result, Result, Result];
    const { text } = textOrThrow(whole, where);
    const bare = 'text' in plain ? plain.text : '';
    const from = await startOf({ before, text, bare }, conversation, i, template);
    const behind = bare.slice(bare.lastIndexOf(plainAnswer) + plainAnswer.length);
    const to = from + answerLength(text.slice(from), messages[i]!, behind, endOfTurn);
    let chat = chats.find((it) => it.text.startsWith(text.slice(0, to)));
    if (!chat) chats.push((chat = { text, answers: [] }));
    if (learned[i]) chat.answers.unshift({ from, to });
  }
  return chats.reverse();
}

type Result = Written | { readonly error: string };

/**
 * Where answer i begins in `text`: behind `before`, the prompt for it. Some prompts begin a thought that an answer without
 * one does not have; then the answer begins where the two part, which a `bare` answer in its place shows.
 * @throws UserError badData where that is not behind all that was said before
 */
async function startOf(
  { before, text, bare }: { before: Result; text: string; bare: string },
  conversation: Conversation,
  i: number,
  template: ChatTemplate,
): Promise<number> {
  const { where } = conversation;
  if (i === 0) {
    // No template has to know what stands before nothing.
    const header = bare.slice(0, Math.max(0, bare.lastIndexOf(plainAnswer)));
    if (header === '' || !text.startsWith(header)) throw noAnswerFound(where, i);
    return header.length;
  }
  const prompt = textOrThrow(before, where).text;
  if (text.startsWith(prompt)) return prompt.length;
  let shared = 0;
  while (shared < prompt.length && prompt[shared] === bare[shared]) shared++;
  const [said] = await template.render([promptUpTo(conversation, i, false)]);
  const isBehind = said && 'text' in said && shared >= said.text.length && bare.startsWith(said.text);
  if (!isBehind || !text.startsWith(bare.slice(0, shared))) throw noAnswerFound(where, i);
  return shared;
}

/** A text that no template changes, to see what stands behind an answer. */
const plainAnswer = 'xanswerx';

/**
 * Up to the end-of-turn token: a line end behind it, or a header that some templates always add, is never generated.
 * `behind`: what stands behind every plain answer. An answer that ends otherwise, such as a call, ends with its last token
 * that is no text, and a plain one with the first such token behind what it says.
 */
function answerLength(
  written: string,
  { content, tool_calls }: Message,
  behind: string,
  { special, eos }: EndOfTurn,
): number {
  if (behind !== '' && written.endsWith(behind)) return written.length - behind.length + turnEnd(behind, special, eos);
  if (tool_calls !== undefined && tool_calls !== null) {
    const { index, 0: token } = [...written.matchAll(special)].at(-1) ?? { index: written.length, 0: '' };
    return index + token.length;
  }
  const said = typeof content === 'string' ? content.trim() : '';
  const at = written.lastIndexOf(said);
  const start = at < 0 || said === '' ? 0 : at + said.length;
  return start + turnEnd(written.slice(start), special, eos);
}

/** Behind the first token that is no text, or behind an eos that follows it with nothing but such tokens between. */
function turnEnd(text: string, special: RegExp, eos: string | null): number {
  let first: number | null = null;
  let end = 0;
  for (const { index, 0: token } of text.matchAll(special)) {
    if (first !== null && index !== end) break;
    end = index + token.length;
    first ??= end;
    if (token === eos) return end;
  }
  return first ?? text.length;
}

/** Finds the next of these strings from `lastIndex` on, the longest where several begin. */
export function anyOf(strings: readonly string[]): RegExp {
  const longestFirst = strings.filter((string) => string !== '').sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((string) => string.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  return new RegExp(escaped.join('|') || '(?!)', 'g');
}

const noAnswerFound = (where: string, i: number) =>
  new UserError(
    'badData',
    `${where}: the model's chat template writes what stands before the answer (message ${i}) otherwise once the answer is there, so the answer cannot be told from it; give the data as text.`,
  );
