// CSV with quoted fields. The only file that touches csv-parse.
import { CsvError, parse } from 'csv-parse/sync';
import { UserError } from '../errors';

/** All rows, the header first; every row is as long as the header. @throws UserError badData that names a damaged row */
export function parseCsv(text: string, name: string): string[][] {
  try {
    return parse(text, { skip_empty_lines: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const reason = error.message.split('\n')[0]?.replace(/\.$/, '');
    throw new UserError('badData', `${name} is not valid CSV: ${reason}; repair the row.`);
  }
}
