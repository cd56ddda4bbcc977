// Options that several commands share, and what they become in a recipe.
import { type Command, Option } from 'commander';
import { UserError } from '../errors';
import { parseBlockList, parseDropSet } from '../shared/dropSets';
import type { BosMode, DropSet, TokenSource } from '../protocol/recipes';
import type { MeasureOptions } from '../recipes/analyze/recipe';
import { fraction, natural, positive } from './readings';

export interface OutputFlags {
  json?: string;
  quiet?: boolean;
}

export const withOutputOptions = (command: Command): Command =>
  command
    .option('--json <file>', 'write the report to this file; -: to standard output')
    .option('--quiet', 'print nothing but errors');

export interface SourceFlags {
  text?: string[];
  ids?: string;
  field?: string;
  sequences?: number;
  tokens: number;
  start: number;
  bos: BosMode;
  sampling: 'consecutive' | 'random';
  preset?: Preset;
}

type Preset = keyof typeof presets;
/** The sequences that published perplexities use: all of a text, the tokenizer's bos only at its beginning. */
const presets = { '2048': { tokens: 2048, bos: 'tokenizer' }, '128': { tokens: 128, bos: 'tokenizer' } } as const;

export function withSourceOptions(command: Command, defaults: { sequences: number | null }): Command {
  const sequences = defaults.sequences === null ? 'default: all' : `default: ${defaults.sequences}, or all there are`;
  return command
    .option('--text <file...>', 'text, JSON lines, CSV or Parquet files, read in order')
    .option('--ids <file>', 'JSON rows of token ids instead of a text')
    .option('--field <name>', 'column of structured files', 'text')
    .option('--sequences <n>', `sequences to cut from the text (${sequences})`, positive)
    .option('--tokens <n>', 'tokens per sequence', positive, 512)
    .option('--start <id>', 'first token of the text to use', natural, 0)
    .addOption(
      new Option('--bos <mode>', 'beginning-of-text token: none, before each sequence, or as the tokenizer does')
        .choices(['none', 'each', 'tokenizer'])
        .default('none'),
    )
    .addOption(
      new Option('--sampling <how>', 'consecutive sequences, or drawn by --seed')
        .choices(['consecutive', 'random'])
        .default('consecutive'),
    );
}

export const withPresets = (command: Command): Command =>
  command.addOption(
    new Option('--preset <tokens>', "sequences of the literature's perplexities").choices(Object.keys(presets)),
  );

/** null when neither --text nor --ids is given. */
export function tokenSource(
  flags: SourceFlags & { seed: number },
  defaultSequences: number | null,
): TokenSource | null {
  if (flags.ids !== undefined)
    return { kind: 'ids', file: flags.ids, ...(flags.sequences !== undefined && { sequences: flags.sequences }) };
  if (flags.text === undefined) return null;
  const { field = 'text', start, sampling, seed } = flags;
  const preset = flags.preset && presets[flags.preset];
  return {
    kind: 'text',
    files: flags.text,
    field,
    sequences: flags.sequences ?? (preset ? null : defaultSequences),
    atMost: flags.sequences === undefined,
    tokens: preset?.tokens ?? flags.tokens,
    start,
    bos: preset?.bos ?? flags.bos,
    sampling,
    seed,
  };
}

export interface MeasureFlags {
  removals?: boolean;
  sublayers?: boolean;
  greedy?: number;
  greedyOf: 'blocks' | 'sublayers';
  racing?: number;
  protect: number[];
  suggestions?: number;
  whatIf?: string;
}

export interface DropFlags {
  drop: number[];
  dropAttention: number[];
  dropMlp: number[];
}

/** What to leave out of a model. */
export const withDropOptions = (command: Command, what: string): Command =>
  command
    .addOption(blocksOption('--drop <blocks>', `${what}, such as 3,5,8-10`))
    .addOption(blocksOption('--drop-attention <blocks>', 'blocks to leave without their attention'))
    .addOption(blocksOption('--drop-mlp <blocks>', 'blocks to leave without their MLP'));

export const dropOptions = ({ drop, dropAttention, dropMlp }: DropFlags): DropSet => ({
  blocks: drop,
  attention: dropAttention,
  mlp: dropMlp,
});

/** What to measure beside the scores of an analysis. */
export const withMeasureOptions = (command: Command): Command =>
  command
    .option('--removals', 'measure the loss without each single block')
    .option('--sublayers', 'measure it without each attention and each MLP too')
    .option('--greedy <n>', 'search: drop the block that costs least, n times over', positive)
    .addOption(
      new Option('--greedy-of <units>', 'what the search drops').choices(['blocks', 'sublayers']).default('blocks'),
    )
    .option('--racing <confidence>', 'give up candidates of the search that are surely worse, such as 0.95', fraction)
    .addOption(blocksOption('--protect <blocks>', 'blocks that the search must not drop'))
    .option('--suggestions <n>', 'measure what every method would drop, for 1 to n blocks', positive)
    .option('--what-if <sets>', 'measure drop sets, such as "3,5;12-16;8a,9m" (a: attention, m: MLP)');

export function measureOptions(flags: MeasureFlags): MeasureOptions {
  const { removals, sublayers, greedy, greedyOf, racing, protect, suggestions, whatIf } = flags;
  if (racing !== undefined && greedy === undefined)
    throw new UserError('usage', '--racing is a way to search: add --greedy N, or leave it out.');
  return {
    removals: sublayers ? 'sublayers' : removals ? 'blocks' : 'none',
    greedy:
      greedy === undefined
        ? null
        : { count: greedy, of: greedyOf, racingConfidence: racing ?? null, protected: protect },
    suggestions: suggestions ?? 0,
    whatIf: whatIf === undefined ? [] : whatIf.split(';').map(parseDropSet),
  };
}

/** An option that takes a list of blocks and is empty when left out. */
export const blocksOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser((text) => parseBlockList(text)).default([], 'none');
