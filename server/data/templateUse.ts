// Whether a chat template writes what a conversation says. What it passes over would be missing from the tokens without a
// word, so the conversation is refused by the name of what is missing.
import { UserError } from '../errors';
import type { ChatTemplate, Message, Prompt, Written, WrittenOrRefused } from '../tokenizer/chatTemplate';
import { type Conversation, promptUpTo, withMessage } from './conversations';
import { isGiven, thoughtFields } from './rowFields';

/** A prompt that must be written otherwise than another; else the template passes over `what`. */
interface Trial {
  readonly what: string;
  readonly changed: Prompt;
  /** null: the whole conversation. */
  readonly original: Prompt | null;
  /** Called when it is written. */
  readonly onUsed?: () => void;
}

/** @returns a check that throws UserError badData with the name of what the template passes over */
export function openUseChecks(template: ChatTemplate): (conversation: Conversation, whole: Written) => Promise<void> {
  const knownRoles = new Set(['system', 'user', 'assistant']);
  return async (conversation, whole) => {
    refuseListsAsText(conversation, whole);
    const trials = [
      ...toolTrials(conversation),
      ...conversation.messages.flatMap((_, i) => [
        ...fieldTrials(conversation, i),
        ...roleTrials(conversation, i, knownRoles),
        ...contentTrials(conversation, i, whole),
      ]),
    ];
    if (trials.length === 0) return;
    const written = await template.render(
      trials.flatMap(({ changed, original }) => (original ? [changed, original] : [changed])),
    );
    let next = 0;
    for (const { what, original, onUsed } of trials) {
      const changed = written[next++]!;
      const before = original ? written[next++]! : whole;
      if (isSame(changed, before))
        throw new UserError(
          'badData',
          `${conversation.where} has ${what}, of which the model's chat template writes nothing; remove it, or the row.`,
        );
      onUsed?.();
    }
  };
}

const isSame = (a: WrittenOrRefused, b: WrittenOrRefused) => 'text' in a && 'text' in b && a.text === b.text;

function toolTrials(conversation: Conversation): Trial[] {
  if (!isGiven(conversation.tools)) return [];
  return [{ what: 'tools', changed: promptOf({ ...conversation, tools: null }), original: null }];
}

// Of a tool's answer, its name only says again whose it is.
const writtenFields = ['function_call', 'refusal', 'name'] as const;

/** Each is looked at where its message is the last one: of earlier turns, thoughts are often left out on purpose. */
function fieldTrials(conversation: Conversation, i: number): Trial[] {
  const message = conversation.messages[i]!;
  const original = promptOf(conversation, i + 1);
  const without = (what: string, changed: Message): Trial => ({
    what: `${what} in message ${i}`,
    changed: promptOf(withMessage(conversation, i, changed), i + 1),
    original,
  });
  const trials: Trial[] = [];
  for (const field of writtenFields)
    if (isGiven(message[field]) && !(field === 'name' && message.role === 'tool'))
      trials.push(without(`"${field}"`, withoutFields(message, [field])));
  const thoughts = thoughtFields.find((field) => isGiven(message[field]));
  if (thoughts) trials.push(without(`"${thoughts}"`, withoutFields(message, thoughtFields)));
  if (isGiven(message.tool_calls)) {
    trials.push(without('"tool_calls"', withoutFields(message, ['tool_calls'])));
    const emptied = withoutArguments(message.tool_calls);
    if (emptied) trials.push(without('arguments of "tool_calls"', { ...message, tool_calls: emptied }));
  }
  return trials;
}

/** The calls without what they are called with; null: they are called with nothing. */
function withoutArguments(calls: unknown): unknown[] | null {
  if (!Array.isArray(calls)) return null;
  let found = false;
  const emptied = calls.map((call: unknown) => {
    const fields: Record<string, unknown> = { ...(call as object) };
    const holder = typeof fields.function === 'object' && fields.function !== null ? { ...fields.function } : fields;
    const given = new Map(Object.entries(holder)).get('arguments');
    const isText = typeof given === 'string';
    if (!isGiven(given) || (isText ? given.trim() === '{}' : Object.keys(given as object).length === 0)) return call;
    found = true;
    const without = { ...holder, arguments: isText ? '{}' : {} };
    return holder === fields ? without : { ...fields, function: without };
  });
  return found ? emptied : null;
}

/** A role that is written as one is that no template knows: its turns would look like another's, or be missing. */
function roleTrials(conversation: Conversation, i: number, known: Set<string>): Trial[] {
  const message = conversation.messages[i]!;
  const { role } = message;
  if (known.has(role) || conversation.messages.findIndex((it) => it.role === role) !== i) return [];
  const changed = promptOf(withMessage(conversation, i, { ...message, role: 'xrolex' }));
  return [{ what: `the role "${role}"`, changed, original: null, onUsed: () => known.add(role) }];
}

/** Texts that cannot be seen in what was written, such as a system turn that is left out. */
function contentTrials(conversation: Conversation, i: number, { text }: Written): Trial[] {
  const message = conversation.messages[i]!;
  if (message.role === 'assistant' || textsOf(message).every((said) => text.includes(said.trim()))) return [];
  const changed = promptOf(withMessage(conversation, i, { ...message, content: 'xcontentx' }));
  return [{ what: `a turn of the role "${message.role}" (message ${i})`, changed, original: null }];
}

const textsOf = ({ content }: Message): string[] =>
  typeof content === 'string' ? [content] : Array.isArray(content) ? content.map(({ text }) => String(text)) : [];

/** A template that knows only texts writes a list of parts as Python shows it. */
function refuseListsAsText({ messages, where }: Conversation, { text }: Written): void {
  const shown = /\[\{['"]type['"]: ?['"]text['"]/;
  const inParts = messages.filter(({ content }) => Array.isArray(content));
  if (inParts.length === 0 || !shown.test(text) || messages.flatMap(textsOf).some((said) => shown.test(said))) return;
  throw new UserError(
    'badData',
    `${where} has a content in parts, which the model's chat template writes as a list; give it as one text.`,
  );
}

const promptOf = (conversation: Conversation, end = conversation.messages.length): Prompt =>
  promptUpTo(conversation, end, false);

const withoutFields = ({ role, ...fields }: Message, names: readonly string[]): Message => ({
  ...Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name))),
  role,
});
