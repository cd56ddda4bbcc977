// How the text of an option is read. What cannot be read is refused with a sentence that says what is wanted.
import { InvalidArgumentError } from 'commander';
import { UserError } from '../errors';
import type { Dtype } from '../protocol/recipes';
import type { Reading } from '../recipes/commandLine';
import type { ItemRange } from '../recipes/evaluate/recipe';
import type { HealRecipe } from '../recipes/heal/recipe';
import { parseBytes, parseParameters } from '../shared/amounts';
import { parseBlockList, parseDropSet } from '../shared/dropSets';

/** Passes if the text is a number, and one of those wanted. */
const number =
  (wanted: (value: number) => boolean, sentence: string) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !wanted(value)) throw new InvalidArgumentError(sentence);
    return value;
  };

export const positive = number(
  (value) => Number.isSafeInteger(value) && value >= 1,
  'It must be a whole number of at least 1.',
);

export const natural = number(
  (value) => Number.isSafeInteger(value) && value >= 0,
  'It must be a whole number, 0 or more.',
);

const amount = number(
  (value) => Number.isFinite(value) && value >= 0,
  'It must be a number of 0 or more, such as 5e-4.',
);

export const fraction = number((value) => value > 0 && value < 1, 'It must be a number between 0 and 1, such as 0.95.');

const share = number((value) => value >= 0 && value < 1, 'It must be a share from 0 up to 1, such as 0.3.');

const ridgeAmount = number(
  (value) => Number.isFinite(value) && value >= 0,
  'It must be a number of 0 or more, such as 1e-4, or auto.',
);

export function dtype(text: string): Dtype {
  if (text === 'f32' || text === 'f16' || text === 'bf16') return text;
  throw new UserError('usage', `There is no dtype ${text}; choose f32, f16 or bf16.`);
}

/** `q_proj=4;layers.3.mlp.up_proj=16` */
function perModule(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split(';').map((part) => {
      const [name, value, ...rest] = part.split('=');
      if (!name || value === undefined || rest.length > 0 || !(Number(value) > 0))
        throw new InvalidArgumentError('It must be names with numbers, such as "q_proj=4;up_proj=16".');
      return [name, Number(value)];
    }),
  );
}

function itemRange(text: string): ItemRange {
  const match = /^(\d{1,9}):(\d{1,9})$/.exec(text);
  const [first, end] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || first >= end)
    throw new InvalidArgumentError('It must be A:B with A below B, such as 0:100 for the first hundred.');
  return { first, end };
}

const adapterBlocks = (text: string): HealRecipe['adapter']['blocks'] =>
  text === 'all' ? 'all' : text === 'cut-adjacent' ? 'cutAdjacent' : parseBlockList(text);

export const readings: Record<Reading, (text: string) => unknown> = {
  positive,
  natural,
  amount,
  amountOrNone: (text) => amount(text) || null,
  fraction,
  share,
  ridge: (text) => (text === 'auto' ? 'auto' : ridgeAmount(text)),
  megabytes: (text) => positive(text) * 1e6,
  bytes: parseBytes,
  parameters: parseParameters,
  dtype,
  names: (text) => text.split(',').filter((name) => name !== ''),
  blocks: (text) => parseBlockList(text),
  adapterBlocks,
  dropSets: (text) => text.split(';').map(parseDropSet),
  perModule,
  itemRange,
};
