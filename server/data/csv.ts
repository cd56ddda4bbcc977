// CSV with quoted fields. The only file that touches csv-parse.
import { CsvError, parse } from 'csv-parse/sync';
import { UserError } from '../errors';
import { mostRows, refuseManyInCsv, refuseManyRows } from './rowLimits';

/** Characters of a row. */
const mostInRow = 100_000_000;

/** All rows, the header first; every row is as long as the header. @throws UserError badData that names a damaged row */
export function parseCsv(text: string, name: string): string[][] {
  refuseManyInCsv(text, name);
  try {
    const rows = parse(text, { skip_empty_lines: true, to: mostRows + 1, max_record_size: mostInRow });
    refuseManyRows(rows.length, name);
    return rows;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const reason = error.message.split('\n')[0]?.replace(/\.$/, '');
    throw new UserError('badData', `${name} is not valid CSV: ${reason}; repair the row.`);
  }
}
