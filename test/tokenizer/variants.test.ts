// Small tokenizers of every kind, and folders that say more than tokenizer.json: the ids and texts of transformers 5.24.
// See test/fixtures/tokenizers/make_variants.py.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { isUserError } from '../../server/errors';
import { openTokenizer, type Tokenizer } from '../../server/tokenizer/tokenizer';
import { repoRoot } from '../fixtures';

type Json = Record<string, unknown>;
interface Base extends Json {
  model: Json & { vocab: Json | unknown[] };
  added_tokens: unknown[];
}
/** Without hashes: AutoTokenizer does not open it. */
interface Row {
  name: string;
  base: string;
  tokenizer: Json & { 'added_tokens+'?: Json[] };
  model: Json & { 'vocab+'?: unknown[]; 'type-'?: true };
  files: Json;
  ids?: string;
  text?: string;
  bosAndEos?: (number | null)[];
}
const { texts, bases, rows }: { texts: string[]; bases: Record<string, Base>; rows: Row[] } = JSON.parse(
  readFileSync(join(repoRoot, 'test/fixtures/tokenizers/variants.json'), 'utf8'),
);

const root = mkdtempSync(join(tmpdir(), 'espalier-variants-'));
afterAll(() => rmSync(root, { recursive: true }));

/** As `tokenizer_json` of the script lays them over each other. */
function tokenizerJson({ base, tokenizer, model }: Row): Json {
  const { 'added_tokens+': more = [], ...parts } = tokenizer;
  const { 'vocab+': vocabulary, 'type-': untyped, ...fields } = model;
  const whole: Base['model'] = { ...bases[base]!.model, ...fields };
  if (vocabulary) whole.vocab = [...(whole.vocab as unknown[]), ...vocabulary];
  if (untyped) delete whole.type;
  const size = Object.keys(whole.vocab).length;
  const added = [...bases[base]!.added_tokens, ...more.map((token, i) => ({ id: size + i, ...token }))];
  return { ...bases[base], ...parts, model: whole, added_tokens: added };
}

function folderOf(row: Row, i: number): string {
  const folder = join(root, String(i));
  mkdirSync(folder);
  for (const [name, content] of Object.entries({ ...row.files, 'tokenizer.json': tokenizerJson(row) }))
    writeFileSync(join(folder, name), JSON.stringify(content));
  return folder;
}

const digest = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

/** null: a refusal; anything else that is thrown is a defect. */
const orNull = <T>(promise: Promise<T>): Promise<T | null> =>
  promise.catch((error: unknown) => {
    if (isUserError(error)) return null;
    throw error;
  });

/** Of all texts: ids without and with special tokens, and the latter as text with and without special tokens. */
async function written(tokenizer: Tokenizer) {
  const all = <T, R>(list: T[], f: (one: T) => Promise<R>) => Promise.all(list.map(f));
  const ids = await all([false, true], (addSpecialTokens) =>
    all(texts, (text) => orNull(tokenizer.encode(text, { addSpecialTokens }))),
  );
  const decoded = await all([false, true], (skipSpecialTokens) =>
    all(ids[1]!, async (some) => some && tokenizer.decode(some, { skipSpecialTokens })),
  );
  return { ids, decoded };
}

test.each(rows.map((row, i) => ({ i, ...row })))('$name', async ({ i, ...row }) => {
  const tokenizer = await orNull(openTokenizer(folderOf(row, i)));
  if (row.ids === undefined) return expect(tokenizer).toBeNull();
  const { ids, decoded } = await written(tokenizer!);
  expect([digest(ids), digest(decoded)]).toEqual([row.ids, row.text]);
  const spoken = row.bosAndEos!.map((id, end) => id ?? [tokenizer!.bosTokenId, tokenizer!.eosTokenId][end]);
  expect([tokenizer!.bosTokenId, tokenizer!.eosTokenId]).toEqual(spoken);
});
