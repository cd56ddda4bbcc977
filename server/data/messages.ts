// Messages as people write them, in the form that a chat template knows. Pure.
import { UserError } from '../errors';
import type { Message } from '../tokenizer/chatTemplate';
import { isGiven, isLearned, jsonOf, refuseMessageFields, thoughtFields } from './rowFields';

/** @throws UserError badData that names the message */
export function messagesOf(
  list: readonly unknown[],
  column: string,
  where: string,
): { messages: Message[]; learned: boolean[] } {
  const messages: Message[] = [];
  const learned: boolean[] = [];
  list.forEach((entry, i) => {
    const place = `Message ${i} of ${column} in ${where}`;
    const message = messageOf(entry, place);
    const isAnswer = message.role === 'assistant';
    const counts = isLearned(message, isAnswer, place);
    messages.push(message);
    learned.push(isAnswer && counts);
  });
  return { messages, learned };
}

/** As OpenAI writes it, { role, content }, or ShareGPT, { from, value }; what else it has goes to the template. */
export function messageOf(entry: unknown, where: string): Message {
  const fields: Record<string, unknown> = typeof entry === 'object' && entry !== null ? { ...entry } : {};
  refuseMessageFields(where, fields);
  if (typeof fields.role === 'string') {
    const usual = otherNames.get(fields.role);
    if (usual === undefined) return checked({ ...fields, role: fields.role }, 'content', where);
    const said = `has the role "${fields.role}", which templates call "${usual}"`;
    throw new UserError('badData', `${where} ${said}; rename it.`);
  }
  const { from, value, ...others } = fields;
  if (typeof from !== 'string')
    throw new UserError('badData', `${where} has neither a role with a content nor a from with a value; repair it.`);
  if (from === 'function_call') return { ...others, role: 'assistant', content: '', tool_calls: callsOf(value, where) };
  const role = shareGptRoles.get(from);
  if (role !== undefined) return checked({ ...others, role, content: value }, 'value', where);
  const known = [...shareGptRoles.keys(), 'function_call'].join(', ');
  throw new UserError('badData', `${where} is from "${from}", which is none of ${known}; change or remove it.`);
}

const shareGptRoles = new Map([
  ['human', 'user'],
  ['user', 'user'],
  ['gpt', 'assistant'],
  ['assistant', 'assistant'],
  ['system', 'system'],
  ['observation', 'tool'],
  ['tool', 'tool'],
]);

/** Roles that no template knows by these names, though one that prints every role would write them. */
const otherNames = new Map([
  ['human', 'user'],
  ['gpt', 'assistant'],
  ['bot', 'assistant'],
  ['model', 'assistant'],
]);

/** An answer may be a call or thoughts without a content; everything else says something. */
function checked(message: Message, name: string, where: string): Message {
  const { role, content } = message;
  const saysElse = ['tool_calls', 'function_call', ...thoughtFields].some((field) => isGiven(message[field]));
  if (typeof content === 'string') return message;
  if ((content === null || content === undefined) && role === 'assistant' && saysElse) return message;
  if (Array.isArray(content) && content.length > 0) {
    content.forEach((part: unknown, k) => {
      checkPart(part, `Part ${k} of ${where.charAt(0).toLowerCase()}${where.slice(1)}`);
    });
    return message;
  }
  const found = content === undefined ? 'no' : 'something else than a text as';
  throw new UserError('badData', `${where} has ${found} "${name}"; repair or remove it.`);
}

/** Of contents in parts only texts can be learned, and only whole. */
function checkPart(part: unknown, where: string): void {
  const fields: Record<string, unknown> = typeof part === 'object' && part !== null ? { ...part } : {};
  if (fields.type !== 'text' || typeof fields.text !== 'string')
    throw new UserError('badData', `${where} is no text but ${kindOf(fields.type)}; the model reads text alone.`);
  for (const name of ['train', 'weight'])
    if (name in fields) throw new UserError('badData', `${where} has its own "${name}"; answers are learned whole.`);
}

const kindOf = (type: unknown): string => (typeof type === 'string' ? `"${type}"` : 'of no known type');

/** LLaMA-Factory's function_call: one call or several as JSON, each { name, arguments }. */
function callsOf(value: unknown, where: string): Message[string] {
  const parsed = typeof value === 'string' ? jsonOf(value, 'function_call', where) : value;
  return [parsed].flat().map((call: unknown) => {
    const { name, arguments: given }: Record<string, unknown> = { ...(call as object) };
    if (typeof name === 'string' && given !== undefined)
      return { type: 'function', function: { name, arguments: given } };
    throw new UserError('badData', `${where} has a function_call without name and arguments; repair or remove it.`);
  });
}
