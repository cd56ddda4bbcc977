// Files of rows that are small and say much: each is refused in a sentence before its memory is taken, and what is merely large is
// read in linear time.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { openRows } from '../../server/data/rows';
import { readDocuments } from '../../server/data/textSource';
import { repoRoot } from '../fixtures';
import { costOf } from '../fuzz/cost';

const folder = mkdtempSync(join(tmpdir(), 'rows-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A frame of zstd that is nothing but one byte, so many times 128 kB of it. */
function zstdBomb(nBlocks: number): Buffer {
  const window = 1 << 17;
  const frame = [0x28, 0xb5, 0x2f, 0xfd, 0b0000_0000, 0x38];
  const blocks = Array.from({ length: nBlocks }, (_, i) => {
    const head = (window << 3) | (1 << 1) | (i === nBlocks - 1 ? 1 : 0);
    return [head & 0xff, (head >> 8) & 0xff, head >> 16, 0x61];
  });
  return Buffer.from([...frame, ...blocks.flat()]);
}

const many = readFileSync(join(repoRoot, 'test/fixtures/text/many.parquet.gz'));
const lies = readFileSync(join(repoRoot, 'test/fixtures/text/lies.parquet'));
const refused: [file: string, what: string, bytes: () => Buffer | string, sentence: RegExp][] = [
  ['a.jsonl', '3 million rows', () => '{}\n'.repeat(3e6), /more than 2,000,000 rows; give a part/],
  ['a.json', 'an array of 25 million numbers', () => `[${'0,'.repeat(25e6)}0]`, /more than 20,000,000 values/],
  [
    'b.jsonl',
    'a row that is nested 100,000 deep',
    () => `{"text":${'['.repeat(1e5)}${']'.repeat(1e5)}}\n`,
    /nested more than 100/,
  ],
  ['a.csv', '3 million rows', () => `text\n${'a\n'.repeat(3e6)}`, /more than 2,000,000 rows/],
  ['b.csv', '25 million cells', () => `text,${','.repeat(25e6)}\n`, /more than 20,000,000 values/],
  ['many.parquet.gz', '100 million rows in 196 kB', () => many, /more than 2,000,000 rows/],
  ['lies.parquet', '60 million rows in 416 bytes, and 4 by its footer', () => lies, /more than 20,000,000 values/],
  [
    'bomb.txt.gz',
    '200 MB in 0.2',
    () => gzipSync(Buffer.alloc(200e6), { level: 1 }),
    /unpacks to more than 200 times its size/,
  ],
  ['bomb.txt.zst', '131 MB in 4 kB', () => zstdBomb(1000), /unpacks to more than 200 times its size/],
];

/** The text of all rows. */
const readAll = async (file: string) => (await openRows(file))?.read(['text']);

/** What was said, or `read`. */
const saidBy = (work: () => Promise<unknown>): Promise<string> =>
  work().then(
    () => 'read',
    (error: Error) => error.message,
  );

describe('refused before it is made', () => {
  it.each(refused)('%s: %s', async (name, _, bytes, sentence) => {
    const file = join(folder, name);
    writeFileSync(file, bytes());
    // A file without rows is no matter of openRows.
    const readers = [() => readDocuments(file, null), ...(/txt/.test(name) ? [] : [() => readAll(file)])];
    for (const read of readers) {
      const { result: said, seconds, grownBytes } = await costOf(() => saidBy(read));
      expect(said).toMatch(sentence);
      expect(seconds).toBeLessThan(3);
      expect(grownBytes).toBeLessThan(700e6);
    }
    rmSync(file);
  });
});

describe('read in linear time', () => {
  const cell = 'one word and another '.repeat(1e6);
  const rows: [file: string, text: string][] = [
    ['large.csv', `text\n"${cell}"\n`],
    ['large.jsonl', `${JSON.stringify({ text: cell })}\n`],
    ['large.json', JSON.stringify([{ text: cell }])],
    ['word.txt', 'a'.repeat(cell.length)],
  ];
  it.each(rows)('%s with a text of 21 MB', async (name, text) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    const { result: said, seconds } = await costOf(() => saidBy(() => readDocuments(file, null)));
    expect(said).toBe('read');
    expect(seconds).toBeLessThan(4);
  });
});

it('no damage of a Parquet file leaves an error that nobody hears of', async () => {
  const bytes = readFileSync(join(repoRoot, 'test/fixtures/chats/sharegpt.parquet'));
  const file = join(folder, 'damaged.parquet');
  const unheard: unknown[] = [];
  const note = (reason: unknown) => unheard.push(reason);
  process.on('unhandledRejection', note);
  try {
    const random = mulberry32(1);
    for (let n = 0; n < 1500; n++) {
      const damaged = Buffer.from(bytes);
      for (let i = 0; i < 3; i++) damaged[4 + Math.floor(random() * (bytes.length - 12))] = Math.floor(random() * 256);
      writeFileSync(file, damaged);
      const rows = await openRows(file).catch(() => null);
      await rows?.read(rows.columns).catch(() => {});
    }
    await new Promise((done) => setTimeout(done, 20));
  } finally {
    process.off('unhandledRejection', note);
  }
  expect(unheard).toEqual([]);
});
