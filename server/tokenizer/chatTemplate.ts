// A model's chat template: messages to the text that it was trained on. The only file that touches @huggingface/jinja.
import { Environment, Interpreter, Template } from '@huggingface/jinja';
import * as z from 'zod';
import { UserError } from '../errors';

export interface Message {
  readonly role: string;
  readonly content: string;
}

export interface ChatTemplate {
  /**
   * `addGenerationPrompt`: ends with what stands before an answer. `where`: what an error calls the messages.
   * @throws UserError badData for messages that the template refuses, or a template that we do not understand
   */
  render(messages: readonly Message[], options: { addGenerationPrompt: boolean; where: string }): string;
}

/** What a template calls its model's special tokens, such as `bos_token`. */
export type TokenNames = Readonly<Record<string, string>>;

/**
 * `source`: what stands in chat_template.jinja or, without that file, as chat_template in tokenizer_config.json: a template
 * or a list of named ones. null: the model has none. It is parsed when it is first needed, since most work needs none.
 */
export function chatTemplateOf(source: unknown, tokens: TokenNames): ChatTemplate | null {
  if (source === undefined || source === null) return null;
  let program: Template['parsed'] | null = null;
  return {
    render(messages, { addGenerationPrompt, where }) {
      program ??= parse(source);
      const environment = new Environment();
      const names = { ...globals, ...tokens, messages, tools: null, documents: null };
      for (const [name, value] of Object.entries({ ...names, add_generation_prompt: addGenerationPrompt }))
        environment.set(name, value);
      try {
        return z.object({ value: z.string() }).parse(new Interpreter(environment).run(program)).value;
      } catch (cause) {
        const reason = `${where} does not go through the model's chat template (${reasonOf(cause)})`;
        throw new UserError('badData', `${reason}; change or remove it.`);
      }
    },
  };
}

const templates = z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]);

function parse(source: unknown): Template['parsed'] {
  const refusal = (what: string) =>
    new UserError('badData', `The model's chat template ${what}; repair it, or give the data as text.`);
  const { data } = templates.safeParse(source);
  if (data === undefined) throw refusal('is neither a text nor a list of named ones');
  const text = typeof data === 'string' ? data : data.find(({ name }) => name === 'default')?.template;
  if (text === undefined) throw refusal('is a list in which none is named default');
  try {
    return new Template(text).parsed;
  } catch (cause) {
    throw refusal(`is not understood (${reasonOf(cause)})`);
  }
}

const reasonOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]?.replace(/\.$/, '') ?? '';

// As transformers gives them to a template. Only the day stands still: a run that is resumed tomorrow has to see the same
// ids. It is the day that the templates of Llama 3 name when they cannot ask for one.
const day: Record<string, string> = {
  a: 'Fri',
  A: 'Friday',
  b: 'Jul',
  B: 'July',
  d: '26',
  m: '07',
  y: '24',
  Y: '2024',
  H: '00',
  M: '00',
  S: '00',
};

const globals: Record<string, unknown> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range: (first: number, end?: number, step = 1): number[] => {
    const [from, to] = end === undefined ? [0, first] : [first, end];
    return Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + i * step);
  },
  raise_exception: (message: string): never => {
    throw new Error(message);
  },
  strftime_now: (format: string): string => format.replace(/%(\w)/g, (whole, letter: string) => day[letter] ?? whole),
};
