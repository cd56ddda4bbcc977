// What a model's name says of it, such as "SmolLM2-135M-Instruct", as llama.cpp's converter takes it apart
// (gguf/metadata.py, get_model_id_components), and how a number of parameters is written. Pure.

export interface NameParts {
  readonly fullName: string;
  readonly organization: string | null;
  readonly basename: string | null;
  readonly finetune: string | null;
  readonly version: string | null;
  readonly sizeLabel: string | null;
}

type Part = 'basename' | 'sizeLabel' | 'finetune' | 'version' | 'type';

interface Piece {
  text: string;
  readonly is: Set<Part>;
}

/** @param nParameters of the model that is so named, by which a size is told from the length of a context */
export function nameParts(modelId: string, nParameters: number): NameParts {
  const nothing = { organization: null, basename: null, finetune: null, version: null, sizeLabel: null };
  if (modelId.includes(' ')) return { fullName: modelId, ...nothing };
  const slash = modelId.indexOf('/');
  const fullName = modelId.slice(slash + 1);
  const owner = slash < 0 ? '' : modelId.slice(0, slash);
  const pieces = fullName
    .split('-')
    .filter((text) => text !== '')
    .map((text, i) => annotated(text, i, nParameters));
  const hasNumber = pieces.some(({ text, is }) => is.has('sizeLabel') && /\d/.test(text));
  if (hasNumber) for (const { text, is } of pieces) if (/^\p{L}+$/u.test(text)) is.delete('sizeLabel');
  findBasename(pieces);
  const joined = (part: Part) => pieces.filter(({ is }) => is.has(part)).map(({ text }) => text);
  const found = {
    finetune: joined('finetune').join('-') || null,
    version: joinedVersions(pieces),
    sizeLabel: [...new Set(joined('sizeLabel'))].join('-') || null,
  };
  const isPlain = Object.values(found).every((it) => it === null);
  return {
    fullName,
    organization: slash < 0 || owner.startsWith('.') ? null : owner,
    basename: isPlain ? null : joined('basename').join('-') || null,
    ...found,
  };
}

const joinedVersions = (pieces: readonly Piece[]): string | null =>
  pieces
    .filter(({ is }) => is.has('version') && !is.has('basename'))
    .map(({ text }) => text)
    .join('-') || null;

const sizeForm = /^(([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl)$/i;

function annotated(text: string, i: number, nParameters: number): Piece {
  if (/^(v|iter)?\d+([.]\d+)*$/i.test(text)) return { text, is: new Set(['version']) };
  if (/^(i?q\d(_\w)*|b?fp?(16|32))$/i.test(text)) return { text: text.toUpperCase(), is: new Set(['type']) };
  if (i > 0 && sizeForm.test(text)) return sized(text, nParameters);
  if (i > 0 && /^(chat|instruct|vision|lora)$/i.test(text)) return { text, is: new Set(['finetune']) };
  return { text, is: new Set() };
}

/** A size that is far from the model's is the length of a context. */
function sized(written: string, nParameters: number): Piece {
  let text = written.replaceAll('_', '.');
  if (/\d$/.test(text)) text = `${text.slice(0, -2)}.${text.at(-1)}${text.at(-2)}`;
  if (/\d[kmbt]$/.test(text)) text = `${text.slice(0, -1)}${text.at(-1)!.toUpperCase()}`;
  const [number, unit] = [text.slice(0, -1), text.at(-1)!];
  if (nParameters === 0 || !/^\d+(\.\d+)?$/.test(number)) return { text, is: new Set(['sizeLabel']) };
  const said = Number(number) * 1000 ** ' KMBT'.indexOf(unit);
  if (Math.abs(said - nParameters) <= Math.floor((7 * nParameters) / 8)) return { text, is: new Set(['sizeLabel']) };
  return { text: `${number}${unit.toLowerCase()}`, is: new Set(['finetune']) };
}

/** The first words, with the versions among them but not behind them. What else nothing is known of is a finetune. */
function findBasename(pieces: readonly Piece[]): void {
  let atStart = true;
  for (const { text, is } of pieces) {
    if (atStart && ((is.size === 0 && /^\p{L}/u.test(text)) || is.has('version'))) is.add('basename');
    else {
      atStart = false;
      if (is.size === 0) is.add('finetune');
    }
  }
  for (const { is } of pieces.toReversed()) {
    if (!is.has('basename') || is.size === 1) break;
    is.delete('basename');
  }
}

/** `smollm2-135M` is `Smollm2 135M`; acronyms and versions stay. */
export const asTitle = (name: string): string =>
  name
    .replaceAll('-', ' ')
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => (isLower(word) && !/^(v\d+(?:\.\d+)*|\d.*)$/.test(word) ? capitalized(word) : word))
    .join(' ');

const isLower = (word: string): boolean => /\p{Ll}/u.test(word) && !/\p{Lu}|\p{Lt}/u.test(word);
const capitalized = (word: string): string =>
  word.replace(/\p{L}+/gu, (letters) => `${letters[0]!.toUpperCase()}${letters.slice(1).toLowerCase()}`);

/** `135M`, `1.7B`, `260K`. */
export function sizeInWords(nParameters: number): string {
  const [scale, unit] =
    nParameters > 1e12 ? [1e-12, 'T'] : nParameters > 1e9 ? [1e-9, 'B'] : nParameters > 1e6 ? [1e-6, 'M'] : [1e-3, 'K'];
  const scaled = nParameters * (scale as number);
  const whole = fixed(scaled, 0).replace(/^0+/, '');
  return `${fixed(scaled, Math.max(2 - whole.length, 0))}${unit}`;
}

/** As Python writes it: of two numbers that are as near the even one, where toFixed takes the larger. */
function fixed(x: number, digits: number): string {
  const exact = x.toFixed(60);
  const [, kept = '', rest = ''] = new RegExp(`^(\\d+\\.\\d{${digits}})(\\d*)$`).exec(exact) ?? [];
  const isTie = /^50*$/.test(rest);
  return isTie && /[02468]\.?$/.test(kept) ? kept.replace(/\.$/, '') : x.toFixed(digits);
}
