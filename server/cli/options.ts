// Options that several commands share, and what they become in a recipe.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from '../errors';
import { parseBlockList, parseDropSet } from '../shared/dropSets';
import type { BosMode, ComputeOptions, DeviceName, DropSet, Dtype, MemoryMode, TokenSource } from '../protocol/recipes';
import type { MeasureOptions } from '../recipes/analyze/recipe';

export interface ComputeFlags extends OutputFlags {
  device: DeviceName;
  memory: MemoryMode;
  threads?: number;
  memoryLimit?: number;
  seed: number;
}

export function withComputeOptions(command: Command): Command {
  return withOutputOptions(command)
    .addOption(
      new Option('--device <name>', 'where to compute').choices(['cpu', 'webgpu', 'cuda', 'auto']).default('auto'),
    )
    .addOption(
      new Option('--memory <mode>', 'weights all at once, or block by block')
        .choices(['auto', 'resident', 'streaming'])
        .default('auto'),
    )
    .option('--memory-limit <megabytes>', 'the most memory to plan for (default: what is free)', positive)
    .option('--threads <n>', 'threads to compute with (default: all cores)', positive)
    .option('--seed <n>', 'seed of everything random', natural, 0);
}

export interface OutputFlags {
  json?: string;
  quiet?: boolean;
}

export const withOutputOptions = (command: Command): Command =>
  command.option('--json <file>', 'write the report to this file').option('--quiet', 'print nothing but errors');

export const computeOptions = (flags: ComputeFlags): ComputeOptions => ({
  device: flags.device,
  memory: flags.memory,
  threads: flags.threads ?? null,
  memoryLimitBytes: flags.memoryLimit === undefined ? null : flags.memoryLimit * 1e6,
});

export interface SourceFlags {
  text?: string[];
  ids?: string;
  field?: string;
  windows?: number;
  tokens: number;
  start: number;
  bos: BosMode;
  sampling: 'consecutive' | 'random';
  preset?: Preset;
}

type Preset = keyof typeof presets;
/** The windows that published perplexities use: all of a text, the tokenizer's bos only at its beginning. */
const presets = { '2048': { tokens: 2048, bos: 'tokenizer' }, '128': { tokens: 128, bos: 'tokenizer' } } as const;

export function withSourceOptions(command: Command, defaults: { windows: number | null }): Command {
  const windows = defaults.windows === null ? 'default: all' : `default: ${defaults.windows}, or all there are`;
  return command
    .option('--text <file...>', 'text, JSON lines, CSV or Parquet files, read in order')
    .option('--ids <file>', 'JSON rows of token ids instead of a text')
    .option('--field <name>', 'column of structured files', 'text')
    .option('--windows <n>', `windows to cut from the text (${windows})`, positive)
    .option('--tokens <n>', 'tokens per window', positive, 512)
    .option('--start <id>', 'first token of the text to use', natural, 0)
    .addOption(
      new Option('--bos <mode>', 'beginning-of-text token: none, before each window, or as the tokenizer does')
        .choices(['none', 'each', 'tokenizer'])
        .default('none'),
    )
    .addOption(
      new Option('--sampling <how>', 'consecutive windows, or drawn by --seed')
        .choices(['consecutive', 'random'])
        .default('consecutive'),
    );
}

export const withPresets = (command: Command): Command =>
  command.addOption(
    new Option('--preset <tokens>', "windows of the literature's perplexities").choices(Object.keys(presets)),
  );

/** null when neither --text nor --ids is given. */
export function tokenSource(flags: SourceFlags & { seed: number }, defaultWindows: number | null): TokenSource | null {
  if (flags.ids !== undefined)
    return { kind: 'ids', file: flags.ids, ...(flags.windows !== undefined && { windows: flags.windows }) };
  if (flags.text === undefined) return null;
  const { field = 'text', start, sampling, seed } = flags;
  const preset = flags.preset && presets[flags.preset];
  return {
    kind: 'text',
    files: flags.text,
    field,
    windows: flags.windows ?? (preset ? null : defaultWindows),
    atMost: flags.windows === undefined,
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

export const blockList = (text: string): number[] => parseBlockList(text);

/** An option that takes a list of blocks and is empty when left out. */
export const blocksOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(blockList).default([], 'none');

export function dtype(text: string): Dtype {
  if (text === 'f32' || text === 'f16' || text === 'bf16') return text;
  throw new UserError('usage', `There is no dtype ${text}; choose f32, f16 or bf16.`);
}

export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value < 1))
    throw new InvalidArgumentError('It must be a number between 0 and 1, such as 0.95.');
  return value;
}

export function ratio(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 1))
    throw new InvalidArgumentError('It must be a share from 0 up to 1, such as 0.3.');
  return value;
}

export function ridge(text: string): number | 'auto' {
  if (text === 'auto') return 'auto';
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It must be a number of 0 or more, such as 1e-4, or auto.');
  return value;
}

export function natural(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  return value;
}
