// Reports of runs as files, for what is said of their models: as --json wrote them, as a run or a study keeps them.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unsealed } from '../checkpoint/sealed';
import { UserError } from '../errors';
import { reportOf } from '../evaluation/reportFromHarness';
import { readText } from '../files/text';
import { type FoundReport, runReportSchema } from '../publishing/reports';
import { nullIfMissing } from '../shared/systemErrors';
import { evaluateReportSchema, harnessResultsSchema } from './evaluate/reportSchema';
import type { StudyReport } from './study/recipe';
import { studyReportSchema } from './study/reportSchema';

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
    const results = harnessResultsSchema.safeParse(json);
    if (results.success) return reportOf(results.data).report;
    const report = evaluateReportSchema.safeParse(json);
    if (report.success) return report.data;
  } else if (kind === 'study') {
    const report = studyReportSchema.safeParse(json);
    // As it was, with the infinities that JSON does not have.
    if (report.success) {
      const { variants, evaluation } = report.data;
      return { ...(json as object), variants, evaluation } as unknown as StudyReport;
    }
  } else {
    const report = runReportSchema.safeParse(json);
    if (report.success) return report.data;
  }
  const what = typeof kind === 'string' ? `no whole report of ${kind}` : 'no report';
  throw new UserError('badData', `${file} is ${what}; give what --json of a run wrote.`);
}
