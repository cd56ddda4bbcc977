// What a model is healed on: files to items of ids, in part held out for evaluation. Pads nothing, shuffles nothing.
import { basename } from 'node:path';
import { UserError } from '../errors';
import type { TrainingData } from '../recipes/heal/dataOptions';
import type { TrainingDataReport } from '../protocol/reports';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { someNames } from '../shared/someNames';
import { openChatItems, type TrainingItem } from './chatItems';
import { type Conversation, expectedColumns, type RowForm, rowFormOf } from './conversations';
import { drawn } from './random';
import { openRows, type Rows } from './rows';
import { type FileReport, readText } from './textSource';
import {
  checkLength,
  checkVocabulary,
  checkWhole,
  cutSequences,
  firstIdOf,
  type SequenceLimits,
} from './tokenSequences';

export type { TrainingItem } from './chatItems';

export interface TrainingSet {
  /** In the order of the files; none is empty of counted tokens. */
  readonly training: TrainingItem[];
  readonly heldOut: TrainingItem[];
  readonly report: TrainingDataReport;
}

/**
 * Text is cut in sequences of which every prediction counts. Instructions and chats are written by the model's template, an
 * item a conversation, and their answers count; `bos` does not touch them, since the template says what they begin with.
 * @throws UserError usage for settings that make no sense, notFound or badData for data that does not give what they ask.
 */
export async function readTrainingData(
  data: TrainingData,
  tokenizer: Tokenizer,
  limits: SequenceLimits,
): Promise<TrainingSet> {
  checkSettings(data, limits);
  const kind = await kindOf(data);
  const read = kind.format === 'text' ? await readSequences(data, tokenizer) : await readChats(kind, data, tokenizer);
  checkVocabulary(
    read.items.map(({ ids }) => ids),
    limits.vocabularySize,
  );
  const { training, heldOut } = held(read.items, data);
  const sum = (count: (item: TrainingItem) => number) => training.reduce((total, item) => total + count(item), 0);
  return {
    training,
    heldOut,
    report: {
      files: read.files,
      format: kind.format,
      nTrainingItems: training.length,
      nHeldOutItems: heldOut.length,
      nTokens: sum(({ ids }) => ids.length),
      nCountedTokens: sum(({ counted }) => counted.reduce((total, one) => total + one, 0)),
      nTruncated: read.nTruncated,
    },
  };
}

interface Read {
  items: TrainingItem[];
  files: FileReport[];
  nTruncated: number;
}

async function readSequences(data: TrainingData, tokenizer: Tokenizer): Promise<Read> {
  const { tokens, start, seed, bos } = data;
  const firstId = firstIdOf(bos, tokenizer);
  const { text, files } = await readText(data.files, data.field);
  const ids = await tokenizer.encode(text, { addSpecialTokens: bos === 'tokenizer' });
  const cut = { sequences: null, tokens, start, sampling: 'consecutive', seed, firstId } as const;
  const items = cutSequences(ids, cut).map((sequence) => {
    const counted = new Uint8Array(sequence.length).fill(1);
    counted[0] = 0;
    return { ids: sequence, counted };
  });
  return { items, files, nTruncated: 0 };
}

const conversationsAtOnce = 64;

async function readChats({ format, sources }: ChatKind, data: TrainingData, tokenizer: Tokenizer): Promise<Read> {
  const { tokens, start } = data;
  if (!tokenizer.chatTemplate)
    throw new UserError(
      'badData',
      `The data is ${format}, but the model has no chat template to write them with; give text, or take a model with a chat_template.`,
    );
  const itemsOf = openChatItems(tokenizer, tokenizer.chatTemplate);
  const conversations = (await Promise.all(sources.map(conversationsOf))).flat();
  const there = `${conversations.length} item${conversations.length === 1 ? '' : 's'} of the data`;
  if (start > 0 && start >= conversations.length)
    throw new UserError('badData', `The start ${start} lies beyond the ${there}; choose an earlier one.`);
  const items: TrainingItem[] = [];
  let nTruncated = 0;
  // Several at once, since each waits for the thread that renders them.
  const asked = conversations.slice(start);
  for (let from = 0; from < asked.length; from += conversationsAtOnce) {
    const chunk = await Promise.allSettled(asked.slice(from, from + conversationsAtOnce).map(itemsOf));
    for (const result of chunk) {
      if (result.status === 'rejected') throw result.reason;
      const whole = result.value;
      const cut = whole.map(({ ids, counted }) => ({ ids: ids.slice(0, tokens), counted: counted.slice(0, tokens) }));
      const kept = cut.filter(({ counted }) => counted.includes(1));
      // One without an answer gave no item to be cut, and is missing all the same.
      nTruncated +=
        whole.length === 0 ? 1 : whole.filter(({ ids, counted }) => ids.length > tokens || !counted.includes(1)).length;
      items.push(...kept);
    }
  }
  if (items.length === 0)
    throw new UserError(
      'badData',
      `None of the ${there} has an answer within ${tokens} tokens; take longer sequences or other data.`,
    );
  return { items, files: sources.map(({ rows }) => rows.report), nTruncated };
}

const conversationsOf = async ({ rows, form }: Source): Promise<Conversation[]> =>
  (await rows.read(form.columns)).map((row) => form.conversation(row));

interface Source {
  rows: Rows;
  form: RowForm;
}
interface ChatKind {
  format: RowForm['format'];
  sources: Source[];
}

/** By the files' columns. A field that is named is one of text. @throws UserError badData for files of several kinds */
async function kindOf({ files, field, format }: TrainingData): Promise<{ format: 'text' } | ChatKind> {
  if (format === 'text' || (format === 'auto' && field !== null)) return { format: 'text' };
  const sources: Source[] = [];
  const texts: string[] = [];
  for (const file of files) {
    const rows = await openRows(file);
    const form = rows && rowFormOf(rows.columns, format);
    if (form) sources.push({ rows, form });
    else if (format === 'auto' && (!rows || rows.columns.includes('text'))) texts.push(basename(file));
    else throw unknownColumns(basename(file), rows?.columns ?? null, format);
  }
  const formats = new Set(sources.map(({ form }) => form.format));
  const [first] = formats;
  if (!first) return { format: 'text' };
  if (texts.length === 0 && formats.size === 1) return { format: first, sources };
  const found = [
    ...sources.map(({ rows, form }) => `${rows.report.name} (${form.format})`),
    ...texts.map((name) => `${name} (text)`),
  ];
  throw new UserError('badData', `The files are of several kinds, ${found.join(', ')}; give files of one kind.`);
}

function checkSettings(
  { tokens, start, seed, heldOutFraction }: TrainingData,
  { contextLength }: SequenceLimits,
): void {
  checkLength(tokens, contextLength);
  checkWhole('start', start, 0);
  checkWhole('seed', seed, 0);
  if (heldOutFraction >= 0 && heldOutFraction < 1) return;
  throw new UserError('usage', `The held-out fraction must be from 0 up to below 1, not ${heldOutFraction}.`);
}

/** Sequential data holds nothing out, since what comes later in it is what it is to be evaluated on. */
function held(items: TrainingItem[], { order, heldOutFraction, seed }: TrainingData): Omit<TrainingSet, 'report'> {
  if (order === 'sequential' || heldOutFraction === 0) return { training: items, heldOut: [] };
  const nHeldOut = Math.ceil(heldOutFraction * items.length - 1e-9); // 0.07 of 100 are 7
  if (nHeldOut >= items.length)
    throw new UserError(
      'badData',
      `The data gives ${items.length} item${items.length === 1 ? '' : 's'}, of which a held-out fraction of ${heldOutFraction} leaves none to train on; ` +
        'give more data, shorter sequences or a smaller fraction.',
    );
  const places = new Set(drawn(nHeldOut, items.length, seed));
  return { training: items.filter((_, i) => !places.has(i)), heldOut: items.filter((_, i) => places.has(i)) };
}

function unknownColumns(name: string, columns: string[] | null, format: RowForm['format'] | 'auto'): UserError {
  if (columns?.length === 0) return new UserError('badData', `${name} has no rows; give a file that has some.`);
  if (columns?.includes('chosen') && columns.includes('rejected'))
    return new UserError(
      'badData',
      `${name} has the columns chosen and rejected, a better and a worse answer each; healing learns from single answers, so give messages or an instruction with its output.`,
    );
  const found = columns === null ? 'is plain text' : `has the columns ${someNames(columns)}`;
  const expected = `${format === 'auto' ? 'text; or ' : ''}${expectedColumns(format)}`;
  return new UserError(
    'badData',
    `${name} ${found}, but we know ${expected}; rename them, or say the format and field.`,
  );
}
