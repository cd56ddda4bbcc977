// report: tables, pages and charts of an evaluation or a study that is already there.
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { refuseOverwriting } from '../checkpoint/readPlaces';
import { withStagedFolder } from '../checkpoint/stagedFolder';
import { unsealed } from '../checkpoint/sealed';
import { UserError } from '../errors';
import { harnessResults } from '../evaluation/harnessResults';
import { harnessTable } from '../evaluation/harnessTable';
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import type { StudyReport } from '../recipes/study/recipe';
import { evaluationParts } from '../reporting/evaluationParts';
import { reportMarkdown, scoresMarkdown } from '../reporting/reportMarkdown';
import { studyMarkdown } from '../reporting/studyMarkdown';
import { stdout } from '../terminal';
import { defaultDataFolder } from './serve';
import { nullIfMissing } from '../shared/systemErrors';

interface ReportFlags {
  out?: string;
  data?: string;
  quiet?: boolean;
}

export const addReport = (program: Command): Command =>
  program
    .command('report')
    .argument('<report>', 'what evaluate --json wrote, the folder of a study or a run, or the id of a run')
    .description('an evaluation or a study as Markdown, or with --out as a folder of pages and charts')
    .option('--out <folder>', 'write results.json, report.md, report.html and charts; it must not exist yet')
    .option('--data <folder>', 'where runs are kept', defaultDataFolder())
    .option('--quiet', 'print nothing but errors')
    .action(async (place: string, { out, data, quiet }: ReportFlags) => {
      if (out) await refuseOverwriting(out, [{ path: place, as: 'data' }]);
      const found = await readReport(place, data);
      if (!out && !quiet) stdout.line(markdownOf(found.report));
      if (!out) return;
      const files = await writeReport(out, found);
      if (!quiet) stdout.message(`${files.join(', ')} are in ${out}`);
    });

export interface Found {
  report: EvaluateReport | StudyReport;
  dateEpochMs: number;
}

/** Complete or not at all. Gives back the names of what it wrote, charts as one. */
export async function writeReport(out: string, found: Found): Promise<string[]> {
  const files = Object.entries(await filesOf(found));
  await withStagedFolder(out, async (stage) => {
    for (const [path, text] of files) {
      await mkdir(dirname(join(stage, path)), { recursive: true });
      await writeFile(join(stage, path), text);
    }
  });
  const names = files.map(([path]) => path).filter((path) => !isChart(path));
  const nCharts = files.length - names.length;
  return nCharts > 0 ? [...names, `charts/ (${nCharts})`] : names;
}

const isChart = (path: string) => path.startsWith('charts/');

/** By their path. Only this pays for what draws. */
async function filesOf({ report, dateEpochMs }: Found): Promise<Record<string, string>> {
  if (report.kind === 'study') {
    const { studyFiles } = await import('../recipes/study/files');
    return studyFiles(report, dateEpochMs);
  }
  const [{ evaluationCharts }, { reportHtml }] = await Promise.all([
    import('../reporting/evaluationCharts'),
    import('../reporting/reportHtml'),
  ]);
  const charts = evaluationCharts(report);
  return {
    'results.json': `${JSON.stringify(harnessResults(report, dateEpochMs), null, 1)}\n`,
    'report.md': reportMarkdown(report, charts, ({ name }) => `charts/${name}.svg`),
    'report.html': reportHtml(report, charts),
    ...Object.fromEntries(charts.map(({ name, svg }) => [`charts/${name}.svg`, `${svg}\n`])),
  };
}

function markdownOf(report: EvaluateReport | StudyReport): string {
  if (report.kind === 'study') return studyMarkdown(report, [], ({ name }) => name).trimEnd();
  const { scores, legend, warnings } = evaluationParts(report);
  if (report.models.length === 1) return harnessTable(harnessResults(report, 0));
  return [scoresMarkdown(scores), ...legend, ...warnings].join('\n\n');
}

/** @param place a file, a folder with report.json or results.json, or the id of a run in `dataFolder` */
export async function readReport(place: string, dataFolder: string | undefined): Promise<Found> {
  const runFolder = dataFolder !== undefined && /^[\w-]+$/.test(place) ? [join(dataFolder, 'runs', place)] : [];
  const candidates = [place, ...[place, ...runFolder].flatMap((folder) => fileNames.map((name) => join(folder, name)))];
  for (const file of candidates) {
    const facts = await stat(file).catch(nullIfMissing);
    if (facts?.isFile()) return understood(await readText(file), file, facts.mtimeMs);
  }
  throw new UserError(
    'notFound',
    `${place} is neither an evaluation nor a study or run with a report; give the file that evaluate --json wrote, the folder of a study, or the folder or id of a finished run.`,
  );
}

const fileNames = ['report.json', 'results.json'];

const readText = (file: string) =>
  readFile(file, 'utf8').catch(() => {
    throw new UserError('notFound', `${file} cannot be read; give the file that evaluate --json wrote.`);
  });

async function understood(text: string, file: string, dateEpochMs: number): Promise<Found> {
  const { parseEvaluation, parseStudy } = await import('../recipes/parseReports');
  const json = parsed(text);
  const kind = typeof json === 'object' && json !== null && 'kind' in json ? json.kind : undefined;
  if (kind === 'study') {
    const report = parseStudy(json);
    if (report) return { report, dateEpochMs };
    throw new UserError(
      'badData',
      `${file} is no whole report of a study; give the folder that the study was written to.`,
    );
  }
  const found = parseEvaluation(json);
  if (found) return { report: found.report, dateEpochMs: found.dateEpochMs ?? dateEpochMs };
  const what =
    typeof kind === 'string' && kind !== 'evaluate' ? `a report of ${kind}, not of evaluate` : 'no report of evaluate';
  throw new UserError('badData', `${file} is ${what} or study; give the file that evaluate --json wrote.`);
}

/** Reports of runs carry a checksum. */
const parsed = (text: string): unknown => unsealed(text) ?? undefined;
