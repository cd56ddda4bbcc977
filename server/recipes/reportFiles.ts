// Reports of runs as files, for what is said of their models: as --json wrote them, as a run or a study keeps them.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unsealed } from '../checkpoint/sealed';
import { UserError } from '../errors';
import { readText } from '../files/text';
import { type FoundReport, runReportSchema } from '../publishing/reports';
import { nullIfMissing } from '../shared/systemErrors';
import { parseEvaluation, parseStudy } from './parseReports';

/** @throws UserError `notFound`, or `badData` for what is no report of a known kind. */
export const readReports = (files: readonly string[]): Promise<FoundReport[]> => Promise.all(files.map(readReport));

async function readReport(place: string): Promise<FoundReport> {
  const stats = await stat(place).catch(nullIfMissing);
  const file = stats?.isDirectory() ? join(place, 'report.json') : place;
  const text = await readText(file).catch(nullIfMissing);
  if (text === null) throw new UserError('notFound', `There is no report ${file}; give a file that --json wrote.`);
  const json = unsealed(text);
  const kind = json !== null && 'kind' in json ? json.kind : undefined;
  if (kind === 'evaluate') {
    const found = parseEvaluation(json);
    if (found) return found.report;
  } else if (kind === 'study') {
    const report = parseStudy(json);
    if (report) return report;
  } else {
    const report = runReportSchema.safeParse(json);
    if (report.success) return report.data;
  }
  const what = typeof kind === 'string' ? `no whole report of ${kind}` : 'no report';
  throw new UserError('badData', `${file} is ${what}; give what --json of a run wrote.`);
}
