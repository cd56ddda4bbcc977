// Files to text. Plain text is taken byte for byte; of structured files one field is read, a document a row.
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { opendir, stat } from 'node:fs/promises';
import { basename, extname, join, relative } from 'node:path';
import { UserError } from '../errors';
import { openToRead, refuseElsewhere } from '../files/contained';
import type { TokenSourceReport } from '../protocol/recipes';
import { someNames } from '../shared/someNames';
import { nameWithin, unpacked } from './compressed';
import { parseCsv } from './csv';
import { jsonRows } from './jsonRows';
import { refuseManyInJson } from './rowLimits';
import { openParquet } from './parquet';
import { cannotRead, nullIfMissing } from '../shared/systemErrors';

export type FileReport = TokenSourceReport['files'][number];

/** What is between two documents, and between two files. */
export const documentBorder = '\n\n';

// A JavaScript string holds at most 2^29 - 24 UTF-16 units, and UTF-8 never has fewer bytes than that.
const maximumTextBytes = 500_000_000;

/**
 * Reads files in order and joins them. One plain file gives exactly its text (a byte order mark is dropped).
 * `field`: the column of structured files; null: `text`.
 * @throws UserError notFound for a missing file, badData for anything that is not text, badData when nothing is left.
 */
export async function readText(
  files: readonly string[],
  field: string | null,
): Promise<{ text: string; files: FileReport[] }> {
  const reports: FileReport[] = [];
  const texts: string[] = [];
  for (const file of files) {
    const { documents, report } = await readDocuments(file, field);
    for (const document of documents) texts.push(document);
    reports.push(report);
  }
  const border = documentBorder.length;
  const length = texts.reduce((sum, text) => sum + text.length + border, -border);
  if (length > maximumTextBytes) throw tooLong('The text', length, 'characters');
  const text = texts.join(documentBorder);
  if (text.trim() === '') throw emptyText(files);
  return { text, files: reports };
}

/**
 * The documents of one file: all of a plain file is one, of a structured file every row is one, empty ones included.
 * @throws UserError notFound, badData
 */
export async function readDocuments(
  file: string,
  field: string | null,
): Promise<{ documents: string[]; report: FileReport }> {
  const { bytes, report } = await readBytes(file);
  const read = readers[endingOf(file)] ?? readPlain;
  return { documents: await read(bytes, report.name, field ?? 'text'), report };
}

/** `.jsonl` of `a.JSONL.gz`: what the content is. */
export const endingOf = (file: string): string => extname(nameWithin(file)).toLowerCase();

/**
 * Reads a file whole, unpacked where it is compressed, with its name, size and sha256 on disk.
 * @throws UserError notFound, badData when it is too large
 */
export async function readBytes(file: string): Promise<{ bytes: Buffer; report: FileReport }> {
  const found = await stat(file).catch(nullIfMissing);
  if (!found) throw new UserError('notFound', `There is no file ${file}; check the path.`);
  await refuseElsewhere(file);
  if (!found.isFile()) throw await notAFile(file);
  if (found.size > maximumTextBytes) throw tooLong(basename(file), found.size, 'bytes');
  const bytes = await contentsOf(file).catch((error: NodeJS.ErrnoException) => {
    throw cannotRead(error, file);
  });
  if (isArrow(file, bytes)) throw arrowFile(file);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const report = { name: basename(file), sha256, sizeBytes: bytes.length };
  return { bytes: await unpacked(bytes, file, maximumTextBytes), report };
}

/** As a file of its own, or as the stream that Hugging Face's datasets writes. */
const isArrow = (file: string, bytes: Buffer): boolean =>
  bytes.subarray(0, 6).equals(Buffer.from('ARROW1')) || endingOf(file) === '.arrow';

/** Of a data set's cache or of `save_to_disk`. */
export const arrowFile = (file: string): UserError =>
  new UserError(
    'badData',
    `${file} is an Arrow file, which is not read; write it as Parquet in Python: ` +
      `datasets.Dataset.from_file(${JSON.stringify(basename(file))}).to_parquet("train.parquet").`,
  );

async function contentsOf(file: string): Promise<Buffer> {
  const handle = await openToRead(file);
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** A folder, such as that of a data set in Hugging Face's cache: some of what could be meant is named. */
async function notAFile(path: string): Promise<UserError> {
  const inside = await someInside(path);
  const arrow = inside.filter((name) => endingOf(name) === '.arrow').sort()[0];
  if (arrow !== undefined) return arrowFile(join(path, arrow));
  const files = inside.filter((name) => endingOf(name) in readers || /\.(txt|raw)$/i.test(nameWithin(name))).sort();
  const such = files.length > 0 ? `, such as ${files.slice(0, 3).join(', ')}` : '';
  const what = inside.length > 0 ? 'a folder' : 'not a file';
  return new UserError('badData', `${path} is ${what}; name the text files one by one${such}.`);
}

/** Enough to name a few; it may be a whole disk. */
const mostInside = 10_000;

async function someInside(folder: string): Promise<string[]> {
  const inside: string[] = [];
  try {
    for await (const entry of await opendir(folder, { recursive: true })) {
      inside.push(relative(folder, join(entry.parentPath, entry.name)));
      if (inside.length === mostInside) break;
    }
  } catch {
    // A folder that cannot be read holds nothing to name.
  }
  return inside;
}

/** The first `most` bytes of a file, or all. */
export async function readHead(file: string, most: number): Promise<Buffer> {
  const handle = await openToRead(file);
  try {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(most), position: 0 });
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Reads bytes as UTF-8. @throws UserError badData that names the first byte that is not text */
export function decodeUtf8(bytes: Buffer, name: string): string {
  const zero = bytes.indexOf(0);
  if (zero >= 0) throw new UserError('badData', `${name} is not text: byte ${zero} is zero; give UTF-8 text.`);
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
  const offset = firstBadByte(bytes);
  throw new UserError('badData', `${name} is not UTF-8: byte ${offset} begins no valid character; convert it first.`);
}

type Reader = (bytes: Buffer, name: string, field: string) => string[] | Promise<string[]>;

const readPlain: Reader = (bytes, name) => [decodeUtf8(bytes, name)];

const readJson: Reader = (bytes, name, field) => {
  refuseManyInJson(bytes, name);
  return jsonRows(decodeUtf8(bytes, name), name).map(({ where, value }) => documentOf(value, field, where));
};

const readCsv: Reader = (bytes, name, field) => {
  const [header = [], ...rows] = parseCsv(decodeUtf8(bytes, name), name);
  const column = header.indexOf(field);
  if (column < 0) throw missingField(name, field, header);
  return rows.map((row) => row[column] ?? '');
};

const readParquet: Reader = async (bytes, name, field) => {
  const { columns, read } = await openParquet(bytes, name);
  if (!columns.includes(field)) throw missingField(name, field, columns);
  return (await read(field)).map((value, row) => textOf(value, field, `Row ${row} of ${name}`));
};

// Anything else is plain text.
const readers: Record<string, Reader> = {
  '.jsonl': readJson,
  '.ndjson': readJson,
  '.json': readJson,
  '.csv': readCsv,
  '.parquet': readParquet,
};

function documentOf(row: unknown, field: string, where: string): string {
  if (typeof row === 'string') return row;
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw new UserError('badData', `${where} is neither a text nor an object; give objects with a "${field}".`);
  }
  const value = Object.entries(row).find(([key]) => key === field)?.[1];
  if (value === undefined) throw missingField(where, field, Object.keys(row));
  return textOf(value, field, where);
}

function textOf(value: unknown, field: string, where: string): string {
  if (typeof value === 'string') return value;
  throw new UserError('badData', `${where} has a "${field}" that is not a text; choose another field.`);
}

const missingField = (where: string, field: string, found: readonly string[]) =>
  new UserError(
    'badData',
    found.length === 0
      ? `${where} has no field "${field}", nor any other.`
      : `${where} has no field "${field}"; choose one of: ${someNames(found)}.`,
  );

/** The offset at which the first invalid sequence begins; the bytes are known to be invalid. */
function firstBadByte(bytes: Buffer): number {
  const fails = (length: number): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
      return false; // an unfinished character at the end is no failure yet
    } catch {
      return true;
    }
  };
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (fails(middle)) bad = middle;
    else good = middle;
  }
  // The failure shows at most three bytes after the beginning of its sequence.
  let offset = good;
  while (!isUtf8(bytes.subarray(0, offset))) offset--;
  return offset;
}

const tooLong = (what: string, size: number, unit: 'bytes' | 'characters') =>
  new UserError(
    'badData',
    `${what} has ${size} ${unit}, more than the ${maximumTextBytes} we read; give a part of it.`,
  );

const emptyText = (files: readonly string[]) =>
  new UserError(
    'badData',
    `There is no text in ${files.map((file) => basename(file)).join(', ') || 'no file'}; give files with text.`,
  );
