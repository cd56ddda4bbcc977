// Files as people have them: compressed, and JSON in another form than the name says.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { unpacked } from '../../server/data/compressed';
import { openRows } from '../../server/data/rows';
import { readText } from '../../server/data/textSource';
import { parseIdRows } from '../../server/data/tokenSequences';

const root = mkdtempSync(join(tmpdir(), 'compressed-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
function write(name: string, content: string | Uint8Array): string {
  writeFileSync(join(root, name), content);
  return join(root, name);
}

const rows = '{"text":"Once upon a time"}\n{"text":"there was a dog"}\n';
const text = 'Once upon a time\n\nthere was a dog';
const array = '[{"text": "Once upon a time"},\n {"text": "there was a dog"}]';
const csv = 'text\nOnce upon a time\nthere was a dog\n';
const gz = (content: string) => gzipSync(content);
// printf of `rows` | zstd -19, version 1.5.
const zst = Buffer.from(
  'KLUv/SQ3pQEAtAJ7InRleHQiOiJPbmNlIHVwb24gYSB0aW1lIn0KdGhlcmUgd2FzZG9nIn0KAgAAHL6YTiS0lBc=',
  'base64',
);

describe('a text is the same', () => {
  it.each([
    ['lines named .json', 'a.json', rows],
    ['an array named .jsonl', 'b.jsonl', array],
    ['lines with CRLF and a byte order mark', 'c.json', `\ufeff${rows.replaceAll('\n', '\r\n')}`],
    ['lines with empty ones between', 'd.json', `\n${rows.replace('\n', '\n\n')}`],
    ['lines of texts', 'e.json', '"Once upon a time"\n"there was a dog"\n'],
    ['JSON lines by gzip', 'f.jsonl.gz', gz(rows)],
    ['JSON lines named .json by gzip, as C4 comes', 'g.json.gz', gz(rows)],
    ['an array by gzip', 'h.JSON.GZ', gz(array)],
    ['CSV by gzip', 'i.csv.gz', gz(csv)],
    ['plain text by gzip', 'j.txt.gz', gz(text)],
    ['gzip in two members', 'k.jsonl.gz', Buffer.concat([gz(rows.slice(0, 20)), gz(rows.slice(20))])],
    ['gzip whose name does not say so', 'l.jsonl', gz(rows)],
    ['JSON lines by zstd, as the Pile comes', 'm.jsonl.zst', zst],
    ['zstd in two frames', 'n.jsonl.zst', Buffer.concat([zst, zst])],
  ])('from %s', async (what, name, content) => {
    const file = write(name, content);
    const expected = what.includes('two frames') ? `${text}\n\n${text}` : text;
    expect((await readText([file], null)).text).toBe(expected);
  });

  it('as rows with columns, too', async () => {
    for (const file of [write('o.json', rows), write('p.json.gz', gz(rows)), write('q.jsonl', array)])
      expect(await (await openRows(file))!.read(['text'])).toMatchObject([
        { values: { text: 'Once upon a time' } },
        { values: { text: 'there was a dog' } },
      ]);
  });
});

describe('what cannot be read is said in a sentence', () => {
  const damaged = gz(rows);
  damaged[15]! ^= 0xff;
  it.each([
    ['gzip that was cut off', 'cut.jsonl.gz', gz(rows).subarray(0, 40), /^cut\.jsonl\.gz is damaged \(gzip: .*\); get/],
    ['damaged gzip', 'bad.jsonl.gz', damaged, /^bad\.jsonl\.gz is damaged \(gzip: /],
    ['zstd that was cut off', 'cut.zst', zst.subarray(0, zst.length - 12), /^cut\.zst is damaged \(zstd: .*\); get it/],
    ['a name that is not true', 'plain.json.gz', rows, /^plain\.json\.gz is not compressed, though its name says so/],
    [
      'bzip2',
      'x.jsonl.bz2',
      'BZh91AY&SY',
      /^x\.jsonl\.bz2 is compressed by bzip2; unpack it, or give it as \.gz or \.zst/,
    ],
    ['xz', 'x.xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), /^x\.xz is compressed by xz; unpack it/],
    ['zip', 'x.zip', Buffer.from('PK\u0003\u0004'), /^x\.zip is compressed by zip; unpack it/],
    ['a line that is none', 'line.json', `${rows}{"text": "a\n`, /^Line 3 of line\.json is not valid JSON/],
    [
      'an object over several lines',
      'object.json',
      '{\n "text": "a"\n}\n',
      /^object\.json holds no array; give an array/,
    ],
    ['JSON that is none', 'none.json', '{"a":\n', /^none\.json is not valid JSON/],
    [
      'a folder',
      '',
      '',
      /is a folder; name the text files one by one, such as .*a\.json, .*b\.jsonl, .*bad\.jsonl\.gz\.$/,
    ],
  ])('%s', async (_, name, content, sentence) => {
    const file = name === '' ? root : write(name, content);
    await expect(readText([file], null)).rejects.toThrow(sentence);
  });

  it.each([
    ['gzip', gzipSync(Buffer.alloc(1e6))],
    ['zstd', zst],
  ])('more within %s than is read, long before all of it is unpacked', async (_, content) => {
    const file = write('bomb.gz', content);
    await expect(unpacked(Buffer.from(content), file, 40)).rejects.toThrow(
      /^bomb\.gz unpacks to more than the 40 bytes/,
    );
  });
});

it('ids may come a row a line', () => {
  expect(parseIdRows('[1, 2]\n[3, 4]\n', 'ids.json', 10)).toEqual(parseIdRows('[[1, 2], [3, 4]]', 'ids.json', 10));
});
