// A model's chat template: messages to the text that it was trained on, as transformers' apply_chat_template writes it.
import * as z from 'zod';
import { UserError } from '../errors';
import { someNames } from '../shared/someNames';
import { type Rendered, renderJobs } from './templateThread';

/** As transformers has it: a role, mostly a content, and whatever else the template may know. */
export interface Message {
  readonly role: string;
  readonly [field: string]: unknown;
}

export interface Chat {
  readonly messages: readonly Message[];
  /** What the model may call, as JSON schemas; null: nothing was said of tools. */
  readonly tools: readonly unknown[] | null;
  /** Further names that the template sees, such as `enable_thinking`. */
  readonly variables: Readonly<Record<string, unknown>>;
}

export interface Prompt extends Chat {
  /** Ends with what stands before an answer. */
  readonly addGenerationPrompt: boolean;
}

export interface ChatTemplate {
  /** What it gives for each; an `error` where it refuses one. @throws UserError badData when it is no template */
  render(prompts: readonly Prompt[]): Promise<WrittenOrRefused[]>;
}

export type Written = Extract<Rendered, { text: string }>;
export type WrittenOrRefused = Written | Extract<Rendered, { error: string }>;

/** What a template calls its model's special tokens, such as `bos_token`. */
export type TokenNames = Readonly<Record<string, string>>;

/** `where`: what the sentence calls the messages. @throws UserError badData for messages that the template refuses */
export function textOrThrow(written: WrittenOrRefused, where: string): Written {
  if ('text' in written) return written;
  const reason = withoutStop(written.error);
  throw new UserError(
    'badData',
    `${where} does not go through the model's chat template (${reason}); change or remove it.`,
  );
}

/**
 * `source`: a template, or a list of named ones; templateFiles.ts says where they stand. null: the model has none. It is
 * parsed when it is first needed, since most work needs none.
 */
export function chatTemplateOf(source: unknown, tokens: TokenNames): ChatTemplate | null {
  if (source === undefined || source === null) return null;
  return {
    async render(prompts) {
      // As in transformers, tools decide which of several templates it is.
      const sourceOf = (prompt: Prompt) => chosen(source, prompt.tools !== null);
      const written: WrittenOrRefused[] = [];
      for (const text of new Set(prompts.map(sourceOf))) {
        const places = [...prompts.keys()].filter((i) => sourceOf(prompts[i]!) === text);
        const jobs = places.map((i) => prompts[i]!);
        for (const [k, result] of (await renderJobs({ source: text, variables: tokens, jobs })).entries()) {
          if ('syntax' in result) throw unusable(`is not understood (${withoutStop(result.syntax)})`);
          written[places[k]!] = result;
        }
      }
      return written;
    },
  };
}

const templates = z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]);

function chosen(source: unknown, hasTools: boolean): string {
  const { data } = templates.safeParse(source);
  if (data === undefined) throw unusable('is neither a text nor a list of named ones');
  if (typeof data === 'string') return data;
  const named = new Map(data.map(({ name, template }) => [name, template]));
  const text = (hasTools ? named.get('tool_use') : undefined) ?? named.get('default');
  if (text !== undefined) return text;
  throw unusable(`is a list in which none is named default, but ${someNames([...named.keys()]) || 'nothing'}`);
}

const unusable = (what: string) =>
  new UserError('badData', `The model's chat template ${what}; repair it, or give the data as text.`);

const withoutStop = (reason: string): string => reason.split('\n')[0]?.replace(/\.$/, '') ?? '';
