import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readDocuments, readText } from '../../server/data/textSource';
import { repoRoot } from '../fixtures';

const fixture = (name: string) => join(repoRoot, 'test/fixtures/text', name);
const folder = mkdtempSync(join(tmpdir(), 'espalier-text-'));
const write = (name: string, content: string | Uint8Array) => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};

const texts = [
  'The cat sat on the mat.',
  'She said "hello", then left.',
  'Two lines:\none and two.',
  'Grüße, 世界 🙂',
  '',
  'The end.',
];

describe('structured files', () => {
  for (const name of ['rows.jsonl', 'rows.json', 'rows.csv', 'rows.parquet', 'rows.snappy.parquet']) {
    test(`${name} gives its rows in order, joined by a blank line`, async () => {
      const { documents, report } = await readDocuments(fixture(name), null);
      expect(documents).toEqual(texts);
      expect((await readText([fixture(name)], null)).text).toBe(texts.join('\n\n'));
      const bytes = readFileSync(fixture(name));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      expect(report).toEqual({ name, sha256, sizeBytes: bytes.length });
    });
  }

  test('another field', async () => {
    const { documents } = await readDocuments(fixture('rows.csv'), 'title');
    expect(documents.slice(0, 3)).toEqual(['first', 'quotes, comma', 'newline']);
  });

  test('JSON may hold texts instead of objects', async () => {
    expect((await readDocuments(write('texts.json', '["a", "b"]'), null)).documents).toEqual(['a', 'b']);
    expect((await readDocuments(write('texts.jsonl', '"a"\n\n"b"'), null)).documents).toEqual(['a', 'b']);
  });

  test('CSV is read as it was written', async () => {
    const csv = (cells: string[]) => cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',');
    const cell = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r\n', ' ', 'a', 'é', ';', "'") });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell)), async (rows) => {
        const file = write('round.csv', [['number', 'text'], ...rows].map(csv).join('\n'));
        expect((await readDocuments(file, null)).documents).toEqual(rows.map(([, text]) => text));
      }),
      { numRuns: 50 },
    );
  });
});

describe('plain files', () => {
  const plain: [string, string, string][] = [
    ['as they are', ' \n = Title = \r\n\ttext\n', ' \n = Title = \r\n\ttext\n'],
    ['without a byte order mark', '\ufefftext', 'text'],
    ['with a mark further on', 'te\ufeffxt', 'te\ufeffxt'],
    ['beyond ASCII', 'Grüße, 世界 🙂', 'Grüße, 世界 🙂'],
  ];
  for (const [name, content, text] of plain) {
    test(name, async () => expect((await readText([write('plain.raw', content)], null)).text).toBe(text));
  }

  test('several files are joined by a blank line, in the order given', async () => {
    const { text, files } = await readText([write('b.txt', 'b\n'), write('a.md', 'a'), fixture('rows.json')], null);
    expect(text).toBe(['b\n', 'a', ...texts].join('\n\n'));
    expect(files.map(({ name }) => name)).toEqual(['b.txt', 'a.md', 'rows.json']);
  });

  test('a bad byte is found wherever it is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
        fc.string({ unit: fc.constantFrom('a', 'é', '世') }),
        fc.constantFrom([0xff], [0x80], [0xc3], [0xe4, 0xb8], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0xc0, 0xaf]),
        async (before, after, bad) => {
          const good = Buffer.from(before.replace(/^\ufeff/, ''));
          const file = write('bad.txt', Buffer.concat([good, Buffer.from(bad), Buffer.from(after)]));
          await expect(readText([file], null)).rejects.toThrow(
            `bad.txt is not UTF-8: byte ${good.length} begins no valid character`,
          );
        },
      ),
    );
  });
});

describe('what cannot be read is said in one sentence', () => {
  const failures: [string, () => string, string | null, string, string][] = [
    ['no file', () => join(folder, 'none.txt'), null, 'notFound', 'There is no file '],
    ['a folder', () => folder, null, 'badData', 'is a folder; name the text files one by one'],
    [
      'nothing in it',
      () => write('empty.txt', ''),
      null,
      'badData',
      'There is no text in empty.txt; give files with text.',
    ],
    ['blanks only', () => write('blank.txt', ' \n\n'), null, 'badData', 'There is no text in blank.txt'],
    ['no rows', () => write('no.csv', 'text\n'), null, 'badData', 'There is no text in no.csv'],
    [
      'binary',
      () => write('zero.txt', 'ab\0c'),
      null,
      'badData',
      'zero.txt is not text: byte 2 is zero; give UTF-8 text.',
    ],
    [
      'a line that is not JSON',
      () => write('bad.jsonl', '{"text": "a"}\n{"text": '),
      null,
      'badData',
      'Line 2 of bad.jsonl is not valid JSON',
    ],
    [
      'a line without the field',
      () => write('f.jsonl', '{"text": "a"}\n{"body": "a", "id": 1}'),
      null,
      'badData',
      'Line 2 of f.jsonl has no field "text"; choose one of: body, id.',
    ],
    [
      'a field of every object',
      () => write('p.jsonl', '{"a": "a"}'),
      'toString',
      'badData',
      'has no field "toString"; choose one of: a.',
    ],
    [
      'a line that is a number',
      () => write('n.jsonl', '1'),
      null,
      'badData',
      'Line 1 of n.jsonl is neither a text nor an object',
    ],
    ['JSON that is not valid', () => write('bad.json', '[1,'), null, 'badData', 'bad.json is not valid JSON'],
    ['JSON without an array', () => write('o.json', '{\n"text": "a"\n}'), null, 'badData', 'o.json holds no array'],
    [
      'a number for a text',
      () => fixture('rows.json'),
      'number',
      'badData',
      'Entry 0 of rows.json has a "number" that is not a text',
    ],
    [
      'a null for a text',
      () => fixture('rows.jsonl'),
      'title',
      'badData',
      'Line 6 of rows.jsonl has a "title" that is not a text',
    ],
    [
      'a CSV without the column',
      () => fixture('rows.csv'),
      'body',
      'badData',
      'rows.csv has no field "body"; choose one of: text, title, number.',
    ],
    [
      'a CSV with a long row',
      () => write('long.csv', 'text,b\na,b\na,b,c\n'),
      null,
      'badData',
      'long.csv is not valid CSV: Invalid Record Length',
    ],
    [
      'a CSV with an open quote',
      () => write('open.csv', 'text\n"a\n'),
      null,
      'badData',
      'open.csv is not valid CSV: Quote Not Closed',
    ],
    [
      'a Parquet file without the column',
      () => fixture('rows.parquet'),
      'body',
      'badData',
      'rows.parquet has no field "body"; choose one of: text, title, number.',
    ],
    [
      'a Parquet column of numbers',
      () => fixture('rows.parquet'),
      'number',
      'badData',
      'Row 0 of rows.parquet has a "number" that is not a text',
    ],
    [
      'a Parquet column with a null',
      () => fixture('rows.parquet'),
      'title',
      'badData',
      'Row 5 of rows.parquet has a "title" that is not a text',
    ],
    [
      'no Parquet file',
      () => write('x.parquet', 'PAR0 not at all'),
      null,
      'badData',
      'x.parquet is not a readable Parquet file: ',
    ],
    [
      'half a Parquet file',
      () => write('half.parquet', readFileSync(fixture('rows.parquet')).subarray(900)),
      null,
      'badData',
      'half.parquet is not a readable Parquet file: ',
    ],
  ];
  for (const [name, file, field, code, message] of failures) {
    test(name, async () => {
      const error = await readText([file()], field).then(
        () => null,
        (error: unknown) => error,
      );
      expect(error).toMatchObject({ name: 'UserError', code, message: expect.stringContaining(message) });
      expect(error).toMatchObject({ message: expect.stringMatching(/^[^\n]+\.$/) });
    });
  }
});
