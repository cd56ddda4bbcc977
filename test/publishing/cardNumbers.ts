// Every number that a card shows, and whether it stands in what the card was made of, as it is or in one of the named conversions.

/** What a number of a report may become on a card, by the name that it has in the report. */
const conversions: readonly { readonly of: RegExp; readonly as: readonly ((value: number) => number)[] }[] = [
  { of: /(?:)/, as: [(x) => x] },
  { of: /^(value|delta|ratio|recoveredFraction)$/, as: [(x) => 100 * x] },
  // ± is a 95 % interval.
  { of: /^halfWidth$/, as: [(x) => x, (x) => 100 * x] },
  { of: /^(stderr|\w*StandardError)$/, as: [(x) => quantile * x] },
  { of: /^stderr$/, as: [(x) => 100 * quantile * x] },
  { of: /Bytes/, as: [(x) => x / 1e3, (x) => x / 1e6, (x) => x / 1e9] },
  { of: /^nParam/, as: [(x) => x / 1e6, (x) => x / 1e9] },
  // `2 min 20 s`
  { of: /Ms$/, as: [(x) => x / 1e3, (x) => Math.floor(Math.round(x / 1e3) / 60), (x) => Math.round(x / 1e3) % 60] },
];
const quantile = 1.959_963_984_540_054;

interface Leaf {
  readonly name: string;
  readonly value: number;
}

/** Numbers of the card that are in none of the sources. */
export function strangeNumbers(card: string, sources: readonly unknown[]): string[] {
  const shown = sources
    .flatMap((source) => numbersIn('', source))
    .flatMap(({ name, value }) =>
      conversions.flatMap(({ of, as }) => (of.test(name) ? as.map((to) => to(value)) : [])),
    );
  return numbersOf(card).filter((token) => {
    if (!Number.isFinite(Number(token))) return true;
    const digits = token.includes('e') ? null : (token.split('.')[1]?.length ?? 0);
    // A loss is not shown without its digits: what stands as an integer was one, or came to be one by a conversion.
    const candidates = digits === 0 ? shown.filter((x) => Number.isInteger(x) || Math.abs(x) > 2) : shown;
    return !candidates.some((x) => (digits === null ? x === Number(token) : Math.abs(x).toFixed(digits) === token));
  });
}

/** Without what is no number of a model: code, hashes, links, names of papers and files, and the person's own words. */
export function numbersOf(card: string): string[] {
  const [, front = '', body = ''] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(card)!;
  const values = [...front.matchAll(/^\s*value: (\S+)$/gm)].map(([, value]) => value!);
  const text = body
    .replace(/<!-- yours[\s\S]*?end of yours -->/, '')
    .replace(/^```[\s\S]*?^```$/gm, '')
    .replace(/`[^`]*`/g, '')
    .replace(/\]\([^)]*\)/g, ']')
    .replace(/arXiv:[\d.]+/g, '')
    .replace(/95 % interval/g, '')
    .replace(/^# .*$/m, '')
    .replace(/\(the first block is 0\)|1 - cosine/g, '')
    .replace(/^- software: .*$/m, '')
    // Of names: a digit behind a letter, a hyphen or an underscore, or before a letter.
    .replace(/[\p{L}_][\p{L}\p{N}_.\\-]*|\p{N}+\p{L}[\p{L}\p{N}_.\\-]*/gu, '')
    .replaceAll('−', '');
  return [...values, ...[...text.matchAll(/\d+(?:\.\d+)?(?:e[+-]?\d+)?/g)].map(([token]) => token)];
}

function numbersIn(name: string, value: unknown): Leaf[] {
  if (typeof value === 'number') return [{ name, value }];
  // What a perplexity means is said by the report itself.
  if (typeof value === 'string' && name === 'definition')
    return (value.match(/\d+/g) ?? []).map((digits) => ({ name, value: Number(digits) }));
  if (Array.isArray(value)) {
    const [low, high] = value as unknown[];
    const isInterval = name === 'interval95' && typeof low === 'number' && typeof high === 'number';
    return isInterval
      ? [{ name: 'halfWidth', value: (high - low) / 2 }]
      : value.flatMap((each) => numbersIn(name, each));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => numbersIn(key, inner));
}
