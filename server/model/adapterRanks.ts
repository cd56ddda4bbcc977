// Ranks and alphas of an adapter's modules. Patterns are PEFT's (utils/other.py, get_pattern_key): regular expressions for
// the end of a module's name, of which the first that matches counts.
import { UserError } from '../errors';

export interface RankOptions {
  readonly rank: number;
  readonly alpha: number;
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
  readonly rsLora: boolean;
}

export interface AdapterRanks {
  /** @param name such as `model.layers.3.mlp.up_proj` */
  of(name: string): { rank: number; alpha: number; scaling: number };
  /** @throws UserError `badChoice` for a pattern that none of the names matches: most likely it is misspelt. */
  refuseIdle(names: readonly string[]): void;
}

/** @throws UserError `usage` for numbers and patterns that make no sense. */
export function adapterRanks(options: RankOptions): AdapterRanks {
  const rankPatterns = patterns(options.rankPattern, refuseRank);
  const alphaPatterns = patterns(options.alphaPattern, refuseAlpha);
  refuseSlow([...rankPatterns, ...alphaPatterns].map(({ key }) => key));
  refuseRank(options.rank);
  refuseAlpha(options.alpha);
  const first = (among: readonly Pattern[], name: string) => among.find(({ matches }) => matches(name))?.value;
  return {
    of: (name) => {
      const rank = first(rankPatterns, name) ?? options.rank;
      const alpha = first(alphaPatterns, name) ?? options.alpha;
      return { rank, alpha, scaling: alpha / (options.rsLora ? Math.sqrt(rank) : rank) };
    },
    refuseIdle: (names) => {
      const idle = [...rankPatterns, ...alphaPatterns].find(({ matches }) => !names.some(matches));
      if (!idle) return;
      throw new UserError(
        'badChoice',
        `The pattern ${idle.key} matches no module of the adapter, such as ${names[0]}; correct it or leave it out.`,
      );
    },
  };
}

interface Pattern {
  readonly key: string;
  readonly value: number;
  readonly matches: (name: string) => boolean;
}

function patterns(values: Readonly<Record<string, number>>, refuse: (value: number) => void): Pattern[] {
  const entries = Object.entries(values);
  if (entries.length > mostPatterns)
    throw new UserError(
      'usage',
      `An adapter with ${entries.length} patterns for its ranks or alphas is not taken, but at most ${mostPatterns}; give one for many modules.`,
    );
  return entries.map(([key, value]) => {
    refuse(value);
    return { key, value, matches: matcher(key) };
  });
}

const mostLetters = 200;
const mostWays = 4;
/** More than the projections of the largest models, which some adapters name one by one. */
const mostPatterns = 1000;
/** How much longer a pattern takes with each way more; of a name's letters about as many can be the end of each. */
const costOf = (nWays: number) => 8 ** nWays;
const mostCost = 20_000;

const waysOf = (key: string): number => bare(key).match(/[(*+?{]/g)?.length ?? 0;

/** The pattern with a letter in the place of each that means one. */
const bare = (key: string): string =>
  key
    .replace(/\\./g, '_')
    .replace(/\[[^\]]*\]/g, '_')
    .replaceAll('(?:', '(');

/** All together, since each is tried on every module. */
function refuseSlow(keys: readonly string[]): void {
  if (keys.reduce((sum, key) => sum + costOf(waysOf(key)), 0) <= mostCost) return;
  throw new UserError(
    'usage',
    `The ${keys.length} patterns for ranks and alphas take too long to try on every module; name modules in full, such as layers.3.mlp.up_proj.`,
  );
}

/** Patterns come from strangers' files too: one that could try for ever is refused, as is one that is none. */
function matcher(key: string): (name: string) => boolean {
  const wrong = (what: string) => new UserError('usage', `The pattern ${JSON.stringify(key)} ${what}.`);
  if (key.length > mostLetters)
    throw wrong(`has ${key.length} letters, but at most ${mostLetters} are taken; shorten it`);
  if (/\\[1-9]/.test(key) || /\)[*+?{]|\(\?/.test(bare(key)) || waysOf(key) > mostWays)
    throw wrong('is too involved; name the end of a module, such as layers.3.mlp.up_proj');
  try {
    const regex = new RegExp(`^(?:.*\\.)?(?:${key})$`);
    return (name) => regex.test(name);
  } catch {
    throw wrong('is no regular expression; name the end of a module, such as layers.3.mlp.up_proj');
  }
}

function refuseRank(rank: number): void {
  if (Number.isSafeInteger(rank) && rank >= 1) return;
  throw new UserError('usage', `A rank of ${rank} makes no sense; give a whole number of at least 1, such as 8.`);
}

function refuseAlpha(alpha: number): void {
  if (Number.isFinite(alpha) && alpha > 0) return;
  throw new UserError('usage', `An alpha of ${alpha} makes no sense; give a number above 0, such as 16.`);
}
