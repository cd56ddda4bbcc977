// Token windows: what importance and perplexity are measured on. Every window is full; padding does not exist.
import { createHash } from 'node:crypto';
import { UserError } from '../errors';
import type { BosMode, TokenSource, TokenSourceReport } from '../protocol/recipes';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { drawn } from './random';
import { parsedOr } from './jsonRows';
import { decodeUtf8, readBytes, readText } from './textSource';

/** What the model can take. */
export interface WindowLimits {
  /** The most ids that a window may hold. */
  contextLength: number;
  /** V: ids lie in [0, V). */
  vocabularySize: number;
}

export interface TokenWindows {
  /** [B][T] */
  windows: Int32Array[];
  report: TokenSourceReport;
}

/**
 * Reads a source and cuts it in windows of T ids. `tokenizer` may be null for a source of ids.
 * Only as much text is tokenised as the windows need, where the tokenizer can prove that the ids are the same;
 * `nTokensInText` is then null.
 * @throws UserError usage for a cut that makes no sense, notFound or badData for a source that does not give it.
 */
export async function readTokenWindows(
  source: TokenSource,
  tokenizer: Tokenizer | null,
  limits: WindowLimits,
): Promise<TokenWindows> {
  return source.kind === 'ids' ? readIdRows(source, limits) : readTextWindows(source, tokenizer, limits);
}

type TextSource = Extract<TokenSource, { kind: 'text' }>;

/** How ids are cut in windows; the pure part of a text source. */
export type WindowCut = Pick<TextSource, 'windows' | 'atMost' | 'tokens' | 'start' | 'sampling' | 'seed'> & {
  /** Put before every window, as one of its T ids; null: nothing is. */
  firstId: number | null;
};

/**
 * Window w holds ids [start + w S, start + (w + 1) S), S = T without and T - 1 with a first id of its own.
 * Random windows are drawn without repetition from all there are, in the order of the draws.
 * @throws UserError badData when there are fewer windows than asked
 */
export function cutWindows(ids: readonly number[], cut: WindowCut): Int32Array[] {
  const { windows, tokens, start, firstId } = cut;
  if (start > 0 && start >= ids.length) throw startBeyondEnd(start, ids.length);
  const stride = strideOf(cut);
  const nThere = Math.floor((ids.length - start) / stride);
  const nWanted = cut.atMost ? Math.min(windows ?? nThere, nThere) : (windows ?? nThere);
  if (nThere === 0 || nWanted > nThere) throw tooFewTokens(ids.length, cut, nThere);
  const order =
    cut.sampling === 'random' ? drawn(nWanted, nThere, cut.seed) : Array.from({ length: nWanted }, (_, w) => w);
  return order.map((w) => {
    const from = start + w * stride;
    const window = new Int32Array(tokens);
    if (firstId !== null) window[0] = firstId;
    window.set(ids.slice(from, from + stride), tokens - stride);
    return window;
  });
}

const strideOf = ({ tokens, firstId }: WindowCut): number => (firstId === null ? tokens : tokens - 1);

async function readTextWindows(
  source: TextSource,
  tokenizer: Tokenizer | null,
  limits: WindowLimits,
): Promise<TokenWindows> {
  const { tokens, start, windows, atMost, sampling, seed, bos } = source;
  checkCut(source, limits);
  if (!tokenizer) throw new UserError('notFound', 'A text needs the tokenizer of the model; give token ids instead.');
  const firstId = firstIdOf(bos, tokenizer);
  const cut: WindowCut = { windows, atMost, tokens, start, sampling, seed, firstId };
  const { text, files } = await readText(source.files, source.field);
  const atLeast = windows === null || sampling === 'random' ? undefined : start + windows * strideOf(cut);
  const ids = await tokenizer.encode(text, { addSpecialTokens: bos === 'tokenizer', ...(atLeast && { atLeast }) });
  const result = cutWindows(ids, cut);
  checkVocabulary(result, limits.vocabularySize);
  return {
    windows: result,
    report: {
      files,
      nWindows: result.length,
      tokensPerWindow: tokens,
      start,
      bos,
      sampling,
      seed,
      idsSha256: hashOf(result),
      nTokensInText: atLeast === undefined ? ids.length : null,
    },
  };
}

/** What is put before every window; null: nothing is. @throws UserError usage when the tokenizer has no bos token */
export function firstIdOf(bos: BosMode, tokenizer: Tokenizer): number | null {
  if (bos !== 'each') return null;
  if (tokenizer.bosTokenId !== null) return tokenizer.bosTokenId;
  throw new UserError('usage', 'The tokenizer has no bos token to put before each window; choose bos none.');
}

async function readIdRows(
  { file, windows: nWanted }: Extract<TokenSource, { kind: 'ids' }>,
  limits: WindowLimits,
): Promise<TokenWindows> {
  const { bytes, report } = await readBytes(file);
  const rows = parseIdRows(decodeUtf8(bytes, report.name), report.name, limits.vocabularySize);
  if (nWanted !== undefined && nWanted > rows.length)
    throw new UserError(
      'badData',
      `${report.name} has ${rows.length} rows of ids, ${nWanted} are asked for; ask for fewer --windows.`,
    );
  const windows = rows.slice(0, nWanted);
  const tokens = windows[0]?.length ?? 0;
  checkLength(tokens, limits.contextLength);
  return {
    windows,
    report: {
      files: [report],
      nWindows: windows.length,
      tokensPerWindow: tokens,
      start: 0,
      bos: 'none',
      sampling: 'consecutive',
      seed: 0,
      idsSha256: hashOf(windows),
      nTokensInText: null,
    },
  };
}

/**
 * Rows of ids from JSON: an array of arrays, a line for each, or an object that has them as `ids`.
 * @throws UserError badData that names the row and position of what is wrong
 */
export function parseIdRows(json: string, name: string, vocabularySize: number): Int32Array[] {
  const bad = (what: string) => new UserError('badData', `${name} ${what}; give rows of token ids of equal length.`);
  const parsed =
    parsedOr(json) ??
    parsedOr(
      `[${json
        .trim()
        .split(/\s*\n\s*/)
        .join(',')}]`,
    );
  if (parsed === undefined) throw bad('is not valid JSON');
  const rows: unknown = typeof parsed === 'object' && parsed !== null && 'ids' in parsed ? parsed.ids : parsed;
  if (!Array.isArray(rows)) throw bad('holds no array of rows');
  if (rows.length === 0) throw bad('holds no row');
  let length: number | null = null;
  return rows.map((row: unknown, r) => {
    if (!Array.isArray(row)) throw bad(`has something else than an array as row ${r}`);
    length ??= row.length;
    if (row.length !== length) throw bad(`has ${row.length} ids in row ${r} but ${length} in row 0`);
    row.forEach((id: unknown, i) => {
      if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= vocabularySize) {
        throw bad(
          `has ${JSON.stringify(id).slice(0, 40)} in row ${r} at position ${i}, which is no id from 0 to ${vocabularySize - 1}`,
        );
      }
    });
    return Int32Array.from(row as number[]);
  });
}

function checkCut({ tokens, start, windows, seed }: TextSource, { contextLength }: WindowLimits): void {
  checkLength(tokens, contextLength);
  checkWhole('start', start, 0);
  checkWhole('seed', seed, 0);
  if (windows !== null) checkWhole('number of windows', windows, 1);
}

/** @throws UserError usage */
export function checkWhole(name: string, value: number, from: number): void {
  if (Number.isInteger(value) && value >= from) return;
  throw new UserError('usage', `The ${name} must be a whole number from ${from} on, not ${value}.`);
}

/** @throws UserError usage for a window that predicts nothing or that the model cannot take */
export function checkLength(tokens: number, contextLength: number): void {
  if (!Number.isInteger(tokens) || tokens < 2) {
    throw new UserError('usage', `A window of ${tokens} tokens predicts nothing; take at least 2.`);
  }
  if (tokens > contextLength) {
    throw new UserError(
      'usage',
      `A window of ${tokens} tokens is longer than the model's context of ${contextLength}; take shorter ones.`,
    );
  }
}

/** @throws UserError badData for ids that the model does not know */
export function checkVocabulary(windows: readonly Int32Array[], vocabularySize: number): void {
  for (const window of windows) {
    const id = window.find((id) => id >= vocabularySize);
    if (id !== undefined) {
      throw new UserError(
        'badData',
        `The tokenizer gives id ${id}, but the model knows only ids below ${vocabularySize}; it is not this model's tokenizer.`,
      );
    }
  }
}

// Typed arrays are little-endian on everything that Node and onnxruntime run on.
function hashOf(windows: readonly Int32Array[]): string {
  const hash = createHash('sha256');
  for (const window of windows) hash.update(window);
  return hash.digest('hex');
}

const startBeyondEnd = (start: number, nTokens: number) =>
  new UserError('badData', `The start ${start} lies beyond the text's ${nTokens} tokens; choose an earlier one.`);

function tooFewTokens(nTokens: number, { windows, atMost, tokens, start }: WindowCut, nThere: number): UserError {
  const wanted = windows === null || atMost ? 'at least 1 is' : `${windows} ${windows === 1 ? 'is' : 'are'}`;
  return new UserError(
    'badData',
    `The text has ${nTokens} tokens, from ${start} on enough for ${nThere} window${nThere === 1 ? '' : 's'} of ${tokens}, ` +
      `but ${wanted} asked for; take fewer or shorter windows, or more text.`,
  );
}
