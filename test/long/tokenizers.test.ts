// Whole texts and thousands of random strings by every tokenizer that there is, beside transformers: ids and texts are equal.
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { openTokenizer, type Tokenizer } from '../../server/tokenizer/tokenizer';
import { available, dataFolder, modelFolder, repoRoot } from '../fixtures';
import { askPython } from './askPython';

const root = mkdtempSync(join(tmpdir(), 'tokenizers-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const data = (...path: string[]) => join(dataFolder, 'data', ...path);

/** Mistral's folder once more with a config.json, since transformers opens it as another class then. */
function mistralModel(): string {
  const folder = join(root, 'mistral-with-config');
  cpSync(data('tokenizers/mistral-v0.1'), folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), '{"model_type": "mistral"}');
  return folder;
}

const folders = [
  modelFolder('stories260k'),
  modelFolder('smollm2-135m'),
  ...['llama3', 'qwen3', 'mistral-v0.1'].map((name) => data('tokenizers', name)),
  ...(available(data('tokenizers/mistral-v0.1')) ? [mistralModel()] : []),
].filter(available);
const code = join(root, 'code.txt');
const texts = [data('wikitext-2-raw/wiki.test.raw'), data('tinystories/tinystories_sample.txt'), code].filter(
  (file) => file === code || available(file),
);

/** Of 1 to 40 characters, every other one from all of Unicode but surrogates, the others from ASCII. */
function randomStrings(n: number): string[] {
  const random = mulberry32(1);
  const below = (end: number) => Math.floor(random() * end);
  const ofUnicode = () => {
    const c = below(0x110000 - 0x800);
    return c < 0xd800 ? c : c + 0x800;
  };
  return Array.from({ length: n }, () =>
    String.fromCodePoint(
      ...Array.from({ length: 1 + below(40) }, (_, j) => (j % 2 === 0 ? ofUnicode() : 0x20 + below(95))),
    ),
  );
}

const strings = randomStrings(10_000);

async function digests(tokenizer: Tokenizer, ofTexts: readonly string[]) {
  const hashes = { ids: createHash('sha256'), text: createHash('sha256') };
  let nIds = 0;
  for (const text of ofTexts) {
    const ids = await tokenizer.encode(text, { addSpecialTokens: false });
    nIds += ids.length;
    hashes.ids.update(Int32Array.from(ids)).update(';');
    hashes.text.update(await tokenizer.decode(ids, { skipSpecialTokens: false })).update(';');
  }
  return { nIds, ids: hashes.ids.digest('hex'), text: hashes.text.digest('hex') };
}

describe.each(folders)('%s', (folder) => {
  let expected: unknown[];
  beforeAll(() => {
    const files = ['server', 'extension', 'webview', 'test'].flatMap((place) =>
      readdirSync(join(repoRoot, place), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(repoRoot, place, file),
      ),
    );
    const sources = files.filter((file) => file.endsWith('.ts')).sort();
    writeFileSync(code, sources.map((file) => readFileSync(file, 'utf8')).join('\n'));
    const question = join(root, `${basename(folder)}.json`);
    writeFileSync(join(root, 'strings.json'), JSON.stringify(strings));
    writeFileSync(question, JSON.stringify({ folders: [folder], texts, strings: join(root, 'strings.json') }));
    expected = askPython<unknown[][]>('tokenizer_ids.py', [question], {})[0]!;
  }, 10 * 60_000);

  it('gives the ids and texts of transformers', { timeout: 10 * 60_000 }, async () => {
    const tokenizer = await openTokenizer(folder);
    const ours: Awaited<ReturnType<typeof digests>>[] = [];
    for (const file of texts) ours.push(await digests(tokenizer, [readFileSync(file, 'utf8')]));
    ours.push(await digests(tokenizer, strings));
    console.log(`${basename(folder)}: ${ours.map(({ nIds }) => nIds).join(', ')} ids`);
    expect(ours).toEqual(expected);
  });
});
