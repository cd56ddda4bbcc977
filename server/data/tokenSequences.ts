// Token sequences: what importance and perplexity are measured on. Every sequence is full; padding does not exist.
import { createHash } from 'node:crypto';
import { UserError } from '../errors';
import type { BosMode, TokenSource, TokenSourceReport } from '../protocol/recipes';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { drawn } from './random';
import { parsedOr } from './jsonRows';
import { decodeUtf8, readBytes, readHead, readText } from './textSource';

/** What the model can take. */
export interface SequenceLimits {
  /** The most ids that a sequence may hold. */
  contextLength: number;
  /** V: ids lie in [0, V). */
  vocabularySize: number;
}

export interface TokenSequences {
  /** [B][T] */
  sequences: Int32Array[];
  report: TokenSourceReport;
}

/**
 * Reads a source and cuts it in sequences of T ids. `tokenizer` may be null for a source of ids.
 * Only as much text is tokenised as the sequences need, where the tokenizer can prove that the ids are the same;
 * `nTokensInText` is then null.
 * @throws UserError usage for a cut that makes no sense, notFound or badData for a source that does not give it.
 */
export async function readTokenSequences(
  source: TokenSource,
  tokenizer: Tokenizer | null,
  limits: SequenceLimits,
): Promise<TokenSequences> {
  return source.kind === 'ids' ? readIdRows(source, limits) : readTextSequences(source, tokenizer, limits);
}

type TextSource = Extract<TokenSource, { kind: 'text' }>;

/** How ids are cut in sequences; the pure part of a text source. */
export type SequenceCut = Pick<TextSource, 'sequences' | 'atMost' | 'tokens' | 'start' | 'sampling' | 'seed'> & {
  /** Put before every sequence, as one of its T ids; null: nothing is. */
  firstId: number | null;
};

/**
 * Sequence w holds ids [start + w S, start + (w + 1) S), S = T without and T - 1 with a first id of its own.
 * Random sequences are drawn without repetition from all there are, in the order of the draws.
 * @throws UserError badData when there are fewer sequences than asked
 */
export function cutSequences(ids: readonly number[], cut: SequenceCut): Int32Array[] {
  const { sequences, tokens, start, firstId } = cut;
  if (start > 0 && start >= ids.length) throw startBeyondEnd(start, ids.length);
  const stride = strideOf(cut);
  const nThere = Math.floor((ids.length - start) / stride);
  const nWanted = cut.atMost ? Math.min(sequences ?? nThere, nThere) : (sequences ?? nThere);
  if (nThere === 0 || nWanted > nThere) throw tooFewTokens(ids.length, cut, nThere);
  const order =
    cut.sampling === 'random' ? drawn(nWanted, nThere, cut.seed) : Array.from({ length: nWanted }, (_, w) => w);
  return order.map((w) => {
    const from = start + w * stride;
    const sequence = new Int32Array(tokens);
    if (firstId !== null) sequence[0] = firstId;
    sequence.set(ids.slice(from, from + stride), tokens - stride);
    return sequence;
  });
}

const strideOf = ({ tokens, firstId }: SequenceCut): number => (firstId === null ? tokens : tokens - 1);

async function readTextSequences(
  source: TextSource,
  tokenizer: Tokenizer | null,
  limits: SequenceLimits,
): Promise<TokenSequences> {
  const { tokens, start, sequences, atMost, sampling, seed, bos } = source;
  checkCut(source, limits);
  if (!tokenizer) throw new UserError('notFound', 'A text needs the tokenizer of the model; give token ids instead.');
  const firstId = firstIdOf(bos, tokenizer);
  const cut: SequenceCut = { sequences, atMost, tokens, start, sampling, seed, firstId };
  const { text, files } = await readText(source.files, source.field);
  const atLeast = sequences === null || sampling === 'random' ? undefined : start + sequences * strideOf(cut);
  const ids = await tokenizer.encode(text, { addSpecialTokens: bos === 'tokenizer', ...(atLeast && { atLeast }) });
  const result = cutSequences(ids, cut);
  checkVocabulary(result, limits.vocabularySize);
  return {
    sequences: result,
    report: {
      files,
      nSequences: result.length,
      tokensPerSequence: tokens,
      start,
      bos,
      sampling,
      seed,
      idsSha256: hashOf(result),
      nTokensInText: atLeast === undefined ? ids.length : null,
    },
  };
}

/** What is put before every sequence; null: nothing is. @throws UserError usage when the tokenizer has no bos token */
export function firstIdOf(bos: BosMode, tokenizer: Tokenizer): number | null {
  if (bos !== 'each') return null;
  if (tokenizer.bosTokenId !== null) return tokenizer.bosTokenId;
  throw new UserError('usage', 'The tokenizer has no bos token to put before each sequence; choose bos none.');
}

async function readIdRows(
  { file, sequences: nWanted }: Extract<TokenSource, { kind: 'ids' }>,
  limits: SequenceLimits,
): Promise<TokenSequences> {
  const { bytes, report } = await readBytes(file);
  const rows = parseIdRows(decodeUtf8(bytes, report.name), report.name, limits.vocabularySize);
  if (nWanted !== undefined && nWanted > rows.length)
    throw new UserError(
      'badData',
      `${report.name} has ${rows.length} rows of ids, ${nWanted} are asked for; ask for fewer --sequences.`,
    );
  const sequences = rows.slice(0, nWanted);
  const tokens = sequences[0]?.length ?? 0;
  checkLength(tokens, limits.contextLength);
  return {
    sequences,
    report: {
      files: [report],
      nSequences: sequences.length,
      tokensPerSequence: tokens,
      start: 0,
      bos: 'none',
      sampling: 'consecutive',
      seed: 0,
      idsSha256: hashOf(sequences),
      nTokensInText: null,
    },
  };
}

/** The first row of ids that the beginning of a file shows whole; null: there is none. It is not known whether the rest is right. */
export async function firstRowOfIds(file: string, most: number): Promise<{ nIds: number; nBytes: number } | null> {
  const head = (await readHead(file, most)).toString('latin1');
  const row = /\[\s*\d+(?:\s*,\s*\d+)*\s*\]/.exec(head)?.[0];
  return row === undefined ? null : { nIds: row.split(',').length, nBytes: row.length };
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

function checkCut({ tokens, start, sequences, seed }: TextSource, { contextLength }: SequenceLimits): void {
  checkLength(tokens, contextLength);
  checkWhole('start', start, 0);
  checkWhole('seed', seed, 0);
  if (sequences !== null) checkWhole('number of sequences', sequences, 1);
}

/** @throws UserError usage */
export function checkWhole(name: string, value: number, from: number): void {
  if (Number.isInteger(value) && value >= from) return;
  throw new UserError('usage', `The ${name} must be a whole number from ${from} on, not ${value}.`);
}

/** @throws UserError usage for a sequence that predicts nothing or that the model cannot take */
export function checkLength(tokens: number, contextLength: number): void {
  if (!Number.isInteger(tokens) || tokens < 2) {
    throw new UserError('usage', `A sequence of ${tokens} tokens predicts nothing; take at least 2.`);
  }
  if (tokens > contextLength) {
    throw new UserError(
      'usage',
      `A sequence of ${tokens} tokens is longer than the model's context of ${contextLength}; take shorter ones.`,
    );
  }
}

/** @throws UserError badData for ids that the model does not know */
export function checkVocabulary(sequences: readonly Int32Array[], vocabularySize: number): void {
  for (const sequence of sequences) {
    const id = sequence.find((id) => id >= vocabularySize);
    if (id !== undefined) {
      throw new UserError(
        'badData',
        `The tokenizer gives id ${id}, but the model knows only ids below ${vocabularySize}; it is not this model's tokenizer.`,
      );
    }
  }
}

// Typed arrays are little-endian on everything that Node and onnxruntime run on.
function hashOf(sequences: readonly Int32Array[]): string {
  const hash = createHash('sha256');
  for (const sequence of sequences) hash.update(sequence);
  return hash.digest('hex');
}

const startBeyondEnd = (start: number, nTokens: number) =>
  new UserError('badData', `The start ${start} lies beyond the text's ${nTokens} tokens; choose an earlier one.`);

function tooFewTokens(nTokens: number, { sequences, atMost, tokens, start }: SequenceCut, nThere: number): UserError {
  const wanted = sequences === null || atMost ? 'at least 1 is' : `${sequences} ${sequences === 1 ? 'is' : 'are'}`;
  return new UserError(
    'badData',
    `The text has ${nTokens} tokens, from ${start} on enough for ${nThere} sequence${nThere === 1 ? '' : 's'} of ${tokens}, ` +
      `but ${wanted} asked for; take fewer or shorter sequences, or more text.`,
  );
}
