// Rows of instruction data and chats as conversations, whatever their columns are called. Pure.
import { UserError } from '../errors';
import type { Chat, Message, Prompt } from '../tokenizer/chatTemplate';
import { isRecord } from '../shared/records';
import { messageOf, messagesOf } from './messages';
import { isGiven, meaningfulColumns, refuseColumns, thoughtFields, toolsOf } from './rowFields';
import type { Row } from './rows';

export interface Conversation extends Chat {
  /** What a sentence calls it. */
  readonly where: string;
  /** For each message whether it is an answer that is learned. */
  readonly learned: readonly boolean[];
}

/** The first `end` messages, as a prompt for a template. */
export const promptUpTo = (
  { messages, tools, variables }: Conversation,
  end: number,
  addGenerationPrompt: boolean,
): Prompt => ({ messages: messages.slice(0, end), tools, variables, addGenerationPrompt });

/** With another message in a place. */
export const withMessage = (conversation: Conversation, place: number, message: Message): Conversation => ({
  ...conversation,
  messages: conversation.messages.map((it, i) => (i === place ? message : it)),
});

/** How rows of some columns are read. */
export interface RowForm {
  readonly format: 'instructions' | 'messages';
  /** All that it reads. */
  readonly columns: string[];
  /** @throws UserError badData that names the row */
  conversation(row: Row): Conversation;
}

/** The form of rows with these columns, of this format where one is asked for; null: they are none that we know. */
export function rowFormOf(columns: readonly string[], format: RowForm['format'] | 'auto'): RowForm | null {
  const fits = (form: Form) =>
    (format === 'auto' || form.format === format) && form.needs.every((column) => columns.includes(column));
  const form = forms.find(fits);
  if (!form) return null;
  const read = [...form.columns, ...meaningfulColumns.filter((column) => columns.includes(column))];
  return {
    format: form.format,
    columns: [...new Set(read)],
    conversation(row) {
      refuseColumns(row, form.columns);
      return conversationOf(row, form);
    },
  };
}

/** A list for a sentence, such as `messages; or instruction and output`. */
export const expectedColumns = (format: RowForm['format'] | 'auto'): string =>
  forms
    .filter((form) => format === 'auto' || form.format === format)
    .map(({ needs }) => needs.join(' and '))
    .join('; or ');

/** What a row says, in the order of its turns, and which of them are learned. */
interface Turns {
  messages: Message[];
  learned: boolean[];
}

interface Form {
  readonly format: RowForm['format'];
  readonly needs: string[];
  readonly columns: string[];
  /** Tools are bare functions, as LLaMA-Factory has them. */
  readonly bareTools: boolean;
  turns(row: Row): Turns;
}

/** `context`: may be missing or empty in a row. */
const instructions = (question: string, context: string | null, answer: string): Form => ({
  format: 'instructions',
  needs: [question, answer],
  columns: context === null ? [question, answer] : [question, context, answer],
  bareTools: true,
  turns(row) {
    const { where, values } = row;
    const asked = values[question];
    const answered = values[answer];
    // TRL's prompts and completions may be messages. What stands in the prompt is not learned.
    const before = Array.isArray(asked) ? messagesOf(asked, question, where) : userTurn(row, question, context);
    const after = Array.isArray(answered)
      ? messagesOf(answered, answer, where)
      : answerTurn({ content: textOf(answered, answer, where), ...thoughtsOf(values) });
    const history = historyOf(values.history, where);
    return {
      messages: [...history.messages, ...before.messages, ...after.messages],
      learned: [...history.learned, ...before.messages.map(() => false), ...after.learned],
    };
  },
});

const chat = (column: string): Form => ({
  format: 'messages',
  needs: [column],
  columns: [column],
  bareTools: column === 'conversations',
  turns({ where, values }) {
    const list = values[column];
    const thoughts = thoughtFields.find((field) => typeof values[field] === 'string' && isGiven(values[field]));
    if (thoughts !== undefined)
      throw new UserError(
        'badData',
        `${where} has "${thoughts}" beside its messages; put it into the answer it is of.`,
      );
    if (Array.isArray(list) && list.length > 0) {
      const history = historyOf(values.history, where);
      const own = messagesOf(list, column, where);
      return { messages: [...history.messages, ...own.messages], learned: [...history.learned, ...own.learned] };
    }
    throw new UserError('badData', `${where} has no list of messages as "${column}"; repair or remove it.`);
  },
});

// The first whose needs are met is taken: a chat often carries its first prompt once more, and alpaca its whole as `text`.
const forms: Form[] = [
  chat('messages'),
  chat('conversations'), // ShareGPT
  instructions('instruction', 'input', 'output'), // alpaca
  instructions('instruction', 'context', 'response'), // dolly
  instructions('prompt', null, 'response'),
  instructions('prompt', null, 'completion'),
];

function conversationOf(row: Row, form: Form): Conversation {
  const { where, values } = row;
  const { messages, learned } = form.turns(row);
  const system = isGiven(values.system) ? textOf(values.system, 'system', where) : null;
  const first = messages[0];
  const says = first?.role === 'system';
  if (system !== null && says && first.content !== system)
    throw new UserError('badData', `${where} has a "system" beside another system turn; keep one of them.`);
  const before: Message[] = system === null || says ? [] : [{ role: 'system', content: system }];
  return {
    where,
    messages: [...before, ...messages],
    learned: [...before.map(() => false), ...learned],
    tools: toolsOf(values.tools, { where, wrap: form.bareTools }),
    variables: variablesOf(values.chat_template_kwargs, where),
  };
}

function userTurn({ where, values }: Row, question: string, context: string | null): Turns {
  const about = context === null ? '' : textOf(values[context] ?? '', context, where);
  const asked = textOf(values[question], question, where);
  const content = about === '' ? asked : `${asked}\n\n${about}`;
  return { messages: [messageOf({ role: 'user', content }, where)], learned: [false] };
}

const answerTurn = (fields: Record<string, unknown>): Turns => ({
  messages: [{ role: 'assistant', ...fields }],
  learned: [true],
});

/** The thoughts before the only answer of a row. */
function thoughtsOf(values: Row['values']): Record<string, unknown> {
  const name = thoughtFields.find((field) => isGiven(values[field]));
  return name === undefined ? {} : { reasoning_content: values[name] };
}

/** Earlier turns as LLaMA-Factory has them, [question, answer] each; their answers are learned as there. */
function historyOf(value: unknown, where: string): Turns {
  const turns: Turns = { messages: [], learned: [] };
  if (!isGiven(value)) return turns;
  if (!Array.isArray(value)) throw noHistory(where);
  for (const entry of value) {
    if (!Array.isArray(entry) || entry.length !== 2 || !entry.every((text) => typeof text === 'string'))
      throw noHistory(where);
    turns.messages.push({ role: 'user', content: entry[0] }, { role: 'assistant', content: entry[1] });
    turns.learned.push(false, true);
  }
  return turns;
}

const noHistory = (where: string) =>
  new UserError('badData', `${where} has a "history" that is no list of [question, answer]; repair or remove it.`);

/** What TRL hands to a row's template. */
function variablesOf(value: unknown, where: string): Record<string, unknown> {
  if (!isGiven(value)) return {};
  if (isRecord(value)) return { ...value };
  throw new UserError('badData', `${where} has "chat_template_kwargs" that are no object; repair or remove them.`);
}

function textOf(value: unknown, column: string, where: string): string {
  if (typeof value === 'string') return value;
  const found = value === undefined ? 'no' : 'something else than a text as';
  throw new UserError('badData', `${where} has ${found} "${column}"; repair or remove it.`);
}
