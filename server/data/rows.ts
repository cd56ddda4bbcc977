// Structured files as rows with named columns: JSON, JSON lines, CSV and Parquet.
import { UserError } from '../errors';
import { keyMark, parseExactJson } from '../shared/exactJson';
import { parseCsv } from './csv';
import { openParquet } from './parquet';
import { refuseManyInJson } from './rowLimits';
import { type JsonRow, jsonRows } from './jsonRows';
import { decodeUtf8, endingOf, type FileReport, readBytes } from './textSource';

export interface Rows {
  /** Names, in the order in which they appear. */
  readonly columns: string[];
  readonly report: FileReport;
  /** All rows, with these columns at least as far as they have them. @throws UserError badData for a damaged file */
  read(columns: readonly string[]): Promise<Row[]>;
}

export interface Row {
  /** What a sentence calls it. */
  readonly where: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/**
 * Opens a file by its ending. null: it has no columns, being plain text or a list of texts.
 * @throws UserError notFound, badData
 */
export async function openRows(file: string): Promise<Rows | null> {
  const open = openers[endingOf(file)];
  if (!open) return null;
  const { bytes, report } = await readBytes(file);
  const rows = await open(bytes, report.name);
  return rows && { ...rows, report };
}

type Opener = (bytes: Buffer, name: string) => Promise<Omit<Rows, 'report'> | null>;

const openJson: Opener = async (bytes, name) => {
  refuseManyInJson(bytes, name);
  return objects(jsonRows(decodeUtf8(bytes, name), name, parseExactJson));
};

const openCsv: Opener = async (bytes, name) => {
  const [columns = [], ...cells] = parseCsv(decodeUtf8(bytes, name), name);
  const rows = cells.map((row, i) => ({
    where: `Row ${i} of ${name}`,
    values: Object.fromEntries(columns.map((column, c) => [column, row[c]])),
  }));
  return { columns, read: async () => rows };
};

const openParquetRows: Opener = async (bytes, name) => {
  const { columns, read } = await openParquet(bytes, name);
  return {
    columns,
    async read(wanted) {
      const rows: Record<string, unknown>[] = [];
      for (const column of wanted.filter((column) => columns.includes(column)))
        (await read(column)).forEach((value, i) => {
          rows[i] = { ...rows[i], [column]: value };
        });
      return rows.map((values, i) => ({ where: `Row ${i} of ${name}`, values }));
    },
  };
};

const openers: Record<string, Opener> = {
  '.jsonl': openJson,
  '.ndjson': openJson,
  '.json': openJson,
  '.csv': openCsv,
  '.parquet': openParquetRows,
};

/** null: the first is a text, so they are all meant to be. */
function objects(entries: readonly JsonRow[]): Omit<Rows, 'report'> | null {
  if (typeof entries[0]?.value === 'string') return null;
  const columns = new Set<string>();
  const rows = entries.map(({ where, value }): Row => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UserError('badData', `${where} is not an object with named columns; repair or remove it.`);
    // A column named by a number needs no mark: nothing depends on the order of columns.
    const values = Object.fromEntries(Object.entries(value).map(([name, it]) => [name.replace(keyMark, ''), it]));
    for (const column of Object.keys(values)) columns.add(column);
    return { where, values };
  });
  return { columns: [...columns], read: async () => rows };
}
