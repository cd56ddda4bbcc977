// Fields that change what a row of training data means, by the names that the common trainers give them (LLaMA-Factory,
// axolotl, TRL, OpenAI's format of fine-tuning). Each is used, or refused by its name; all others only describe a row. Pure.
import { UserError } from '../errors';
import { exactNumber, parseExactJson } from '../shared/exactJson';
import type { Row } from './rows';

/** Whether a value says something. Tables fill what a row lacks with null, '' or an empty list. */
export const isGiven = (value: unknown): boolean =>
  value !== undefined &&
  value !== null &&
  !(typeof value === 'string' && value.trim() === '') &&
  !(Array.isArray(value) && value.length === 0);

interface RefusedField {
  /** What it means, for a sentence. */
  readonly means: string;
  /** Whether a value that is given asks for something; every one does if this is left out. */
  readonly asks?: (value: unknown) => boolean;
}

const pair: RefusedField = { means: 'a better and a worse answer, and healing learns from single answers' };
const media: RefusedField = { means: 'something else than text, and the model reads text alone' };
const ofMedia = Object.fromEntries(
  ['images', 'image', 'videos', 'video', 'audios', 'audio'].map((name) => [name, media]),
);
const tokenised: RefusedField = { means: 'data in tokens' };
const legacyCall: RefusedField = { means: 'a call in an older form; write it as tools and tool_calls' };
const unlessOne = (value: unknown) => exactNumber(value) !== 1;
const unlessTrue = (value: unknown) => value !== true;
const weight: RefusedField = { means: 'how much a row counts, and all rows count alike', asks: unlessOne };

/** Columns of a row that are refused where they ask for something. */
const refusedColumns: Record<string, RefusedField> = {
  kto_tag: { means: 'whether the answer is wanted, and healing learns every answer that it is given' },
  // As TRL has it. As a text or a number it is a class that describes the row.
  label: {
    means: 'whether the answer is wanted, and healing learns every answer that it is given',
    asks: (value) => typeof value === 'boolean',
  },
  chosen: pair,
  rejected: pair,
  weight,
  sample_weight: weight,
  loss_weight: weight,
  train: { means: 'whether the row is learned; leave out the rows that are not', asks: unlessTrue },
  training: { means: 'whether the row is learned; leave out the rows that are not', asks: unlessTrue },
  ...ofMedia,
  documents: { means: 'texts to answer from, which are not handed to the template' },
  functions: legacyCall,
  function_call: legacyCall,
  input_ids: tokenised,
  labels: { ...tokenised, asks: Array.isArray },
  loss_mask: tokenised,
};

/** Fields of a message that are refused where they ask for something. */
const refusedInMessages: Record<string, RefusedField> = {
  train_detail: { means: 'which part of an answer is learned, and answers are learned whole' },
  training_detail: { means: 'which part of an answer is learned, and answers are learned whole' },
  reasoning_training_detail: { means: 'which part of the thoughts is learned, and answers are learned whole' },
  ...ofMedia,
};

/** What a conversation takes from a row beside its own columns. */
export const usedColumns = ['system', 'history', 'tools', 'chat_template_kwargs'] as const;
/** The thoughts before an answer; transformers takes the first that is given. */
export const thoughtFields = ['reasoning_content', 'thinking', 'reasoning'] as const;

/** All columns that have to be read to know what a row means. */
export const meaningfulColumns: readonly string[] = [...usedColumns, ...thoughtFields, ...Object.keys(refusedColumns)];

/** @throws UserError badData that names the row and the column. `own`: columns that the row's form reads itself */
export function refuseColumns({ where, values }: Row, own: readonly string[]): void {
  refuse(refusedColumns, where, values, own);
}

/** @throws UserError badData that names the message and the field */
export const refuseMessageFields = (where: string, fields: Readonly<Record<string, unknown>>): void =>
  refuse(refusedInMessages, where, fields, []);

function refuse(
  table: Record<string, RefusedField>,
  where: string,
  values: Readonly<Record<string, unknown>>,
  own: readonly string[],
): void {
  for (const [name, { means, asks = () => true }] of Object.entries(table)) {
    const value = values[name];
    if (own.includes(name) || !isGiven(value) || !asks(value)) continue;
    throw new UserError('badData', `${where} has "${name}", which means ${means}; remove it, or the row.`);
  }
}

/**
 * Whether an answer is learned: OpenAI's weight of 0 or 1, axolotl's train or training.
 * @throws UserError badData for another weight, or for a question that is to be learned
 */
export function isLearned(fields: Readonly<Record<string, unknown>>, isAnswer: boolean, where: string): boolean {
  let learned = true;
  for (const name of ['weight', 'train', 'training']) {
    const value = fields[name];
    if (value === undefined || value === null) continue;
    const asNumber = typeof value === 'boolean' ? Number(value) : exactNumber(value);
    const isFlag = name === 'weight' ? typeof value !== 'boolean' : typeof value === 'boolean';
    if (!isFlag || (asNumber !== 0 && asNumber !== 1))
      throw new UserError('badData', `${where} has the ${name} ${shown(value)}, but it must be ${allowed(name)}.`);
    if (!isAnswer && asNumber === 1 && name !== 'weight')
      throw new UserError('badData', `${where} is to be learned ("${name}" is true), but only answers are; remove it.`);
    learned &&= asNumber === 1;
  }
  return learned;
}

const allowed = (name: string) => (name === 'weight' ? '0 or 1' : 'true or false');
const shown = (value: unknown): string => String(exactNumber(value) ?? JSON.stringify(value));

/**
 * What a model may call: a list, or one as JSON. `wrap`: bare functions, as LLaMA-Factory has them, get the form of
 * OpenAI's schemas. null: nothing is said of tools.
 * @throws UserError badData
 */
export function toolsOf(value: unknown, { where, wrap }: { where: string; wrap: boolean }): unknown[] | null {
  if (value === undefined || value === null || value === '') return null;
  const list = typeof value === 'string' ? jsonOf(value, 'tools', where) : value;
  if (!Array.isArray(list) || !list.every((tool) => typeof tool === 'object' && tool !== null))
    throw new UserError('badData', `${where} has "tools" that are no list of JSON schemas; repair or remove them.`);
  if (list.length === 0 && typeof value === 'string') return null;
  return wrap ? list.map((tool: object) => ('function' in tool ? tool : { type: 'function', function: tool })) : list;
}

/** @throws UserError badData for a text that is no JSON */
export function jsonOf(text: string, name: string, where: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    throw new UserError('badData', `${where} has "${name}" that is not valid JSON; repair or remove it.`);
  }
}
