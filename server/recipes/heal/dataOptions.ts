// What a healing is trained on: the fields, and the options of the command line that fill them.
import * as z from 'zod';
import { bos, name, natural, path, positive, share } from '../../protocol/recipes';
import type { CommandOption } from '../commandLine';

export const trainingData = z.strictObject({
  files: z.array(path('inputFile')).min(1).max(1000),
  /** Column of the text in JSON lines, CSV and Parquet; null: `text`. */
  field: name.nullable().default(null),
  /** `instructions`: alpaca and dolly; `messages`: chats; both through the model's template. `auto`: by the columns. */
  format: z.enum(['auto', 'text', 'instructions', 'messages']).default('auto'),
  /** The most tokens of a sequence. Text is cut in sequences of exactly so many; longer items are cut off. */
  tokens: positive.min(2).default(256),
  /** The first token of a text, or the first item. */
  start: natural.default(0),
  bos: bos.default('none'),
  /** Shuffled anew for every pass over the data, by the seed. */
  order: z.enum(['sequential', 'shuffled']).default('shuffled'),
  /** Share of the sequences that is kept to evaluate on, drawn by the seed; in sequential order none is. */
  heldOutFraction: share.default(0.05),
  seed: natural.default(0),
});
export type TrainingData = z.output<typeof trainingData>;

export const dataOptions = [
  { flags: '--field <name>', field: 'data.field', help: 'column of the text in structured files' },
  { flags: '--format <name>', field: 'data.format', help: 'what the data is' },
  {
    flags: '--tokens <n>',
    field: 'data.tokens',
    read: 'positive',
    help: 'tokens of a sequence; longer items are cut off',
  },
  { flags: '--start <n>', field: 'data.start', read: 'natural', help: 'first token of the text, or first item' },
  { flags: '--bos <mode>', field: 'data.bos', help: 'beginning-of-text token' },
  { flags: '--order <how>', field: 'data.order', help: 'of the sequences' },
  {
    flags: '--holdout <share>',
    field: 'data.heldOutFraction',
    read: 'share',
    help: 'share of the sequences to evaluate on, where no --held-out-text is given',
  },
  { flags: '--held-out-text <file...>', help: 'another text to evaluate on' },
  { flags: '--held-out-sequences <n>', read: 'positive', help: 'sequences of it (default: 8)' },
  { flags: '--held-out-tokens <n>', read: 'positive', help: 'tokens of a sequence of it (default: as --tokens)' },
] as const satisfies readonly CommandOption[];
