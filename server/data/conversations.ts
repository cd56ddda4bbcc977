// Rows of instruction data and chats as conversations, whatever their columns are called. Pure.
import { UserError } from '../errors';
import type { Message } from '../tokenizer/chatTemplate';
import type { Row } from './rows';

export interface Conversation {
  /** What a sentence calls it. */
  readonly where: string;
  readonly messages: Message[];
}

/** How rows of some columns are read. */
export interface RowForm {
  readonly format: 'instructions' | 'messages';
  /** All that it reads. */
  readonly columns: string[];
  /** @throws UserError badData that names the row */
  messages(row: Row): Message[];
}

/** The form of rows with these columns, of this format where one is asked for; null: they are none that we know. */
export function rowFormOf(columns: readonly string[], format: RowForm['format'] | 'auto'): RowForm | null {
  const fits = (form: RowForm & { needs: string[] }) =>
    (format === 'auto' || form.format === format) && form.needs.every((column) => columns.includes(column));
  return forms.find(fits) ?? null;
}

/** A list for a sentence, such as `messages; or instruction and output`. */
export const expectedColumns = (format: RowForm['format'] | 'auto'): string =>
  forms
    .filter((form) => format === 'auto' || form.format === format)
    .map(({ needs }) => needs.join(' and '))
    .join('; or ');

/** `context`: may be missing or empty in a row. */
const instructions = (question: string, context: string | null, answer: string) => ({
  format: 'instructions' as const,
  needs: [question, answer],
  columns: context === null ? [question, answer] : [question, context, answer],
  messages({ where, values }: Row): Message[] {
    const about = context === null ? '' : textOf(values[context] ?? '', context, where);
    const asked = textOf(values[question], question, where);
    return [
      { role: 'user', content: about === '' ? asked : `${asked}\n\n${about}` },
      { role: 'assistant', content: textOf(values[answer], answer, where) },
    ];
  },
});

const chat = (column: string) => ({
  format: 'messages' as const,
  needs: [column],
  columns: [column],
  messages({ where, values }: Row): Message[] {
    const list = values[column];
    if (Array.isArray(list) && list.length > 0)
      return list.map((entry: unknown, i) => messageOf(entry, `Message ${i} of ${column} in ${where}`));
    throw new UserError('badData', `${where} has no list of messages as "${column}"; repair or remove it.`);
  },
});

// The first whose needs are met is taken: a chat often carries its first prompt once more, and alpaca its whole as `text`.
const forms = [
  chat('messages'),
  chat('conversations'), // ShareGPT
  instructions('instruction', 'input', 'output'), // alpaca
  instructions('instruction', 'context', 'response'), // dolly
  instructions('prompt', null, 'response'),
  instructions('prompt', null, 'completion'),
];

/** As OpenAI writes it, { role, content }, or ShareGPT, { from, value }. */
function messageOf(entry: unknown, where: string): Message {
  const fields: Record<string, unknown> = typeof entry === 'object' && entry !== null ? { ...entry } : {};
  if (typeof fields.role === 'string') return { role: fields.role, content: textOf(fields.content, 'content', where) };
  if (typeof fields.from === 'string') {
    const role = shareGptRoles.get(fields.from);
    if (role !== undefined) return { role, content: textOf(fields.value, 'value', where) };
    const known = [...shareGptRoles.keys()].join(', ');
    throw new UserError(
      'badData',
      `${where} is from "${fields.from}", which is none of ${known}; change or remove it.`,
    );
  }
  throw new UserError('badData', `${where} has neither a role with a content nor a from with a value; repair it.`);
}

const shareGptRoles = new Map([
  ['human', 'user'],
  ['user', 'user'],
  ['gpt', 'assistant'],
  ['assistant', 'assistant'],
  ['system', 'system'],
]);

function textOf(value: unknown, column: string, where: string): string {
  if (typeof value === 'string') return value;
  const found = value === undefined ? 'no' : 'something else than a text as';
  throw new UserError('badData', `${where} has ${found} "${column}"; repair or remove it.`);
}
