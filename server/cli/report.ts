// report: tables, pages and charts of an evaluation that is already there.
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { withStagedFolder } from '../checkpoint/stagedFolder';
import { UserError } from '../errors';
import { harnessResults, reportOf } from '../evaluation/harnessResults';
import { harnessTable } from '../evaluation/harnessTable';
import type { EvaluateReport } from '../protocol';
import { evaluationParts } from '../reporting/evaluationParts';
import { reportMarkdown, scoresMarkdown } from '../reporting/reportMarkdown';
import { defaultDataFolder } from './serve';

interface ReportFlags {
  out?: string;
  data: string;
  quiet?: boolean;
}

export const addReport = (program: Command): Command =>
  program
    .command('report')
    .argument('<evaluation>', 'what evaluate --json wrote, the folder of a run, or the id of a run')
    .description('an evaluation as Markdown, or with --out as a folder of pages and charts')
    .option('--out <folder>', 'write results.json, report.md, report.html and charts; it must not exist yet')
    .option('--data <folder>', 'where runs are kept', defaultDataFolder())
    .option('--quiet', 'print nothing but errors')
    .action(async (place: string, { out, data, quiet }: ReportFlags) => {
      const found = await readEvaluation(place, data);
      if (!out && !quiet) console.log(markdownOf(found.report));
      if (!out) return;
      const files = await writeReport(out, found);
      if (!quiet) console.log(`${files.join(', ')} are in ${out}`);
    });

export interface Evaluation {
  report: EvaluateReport;
  dateEpochMs: number;
}

/** Complete or not at all. Gives back the names of what it wrote, charts as one. */
export async function writeReport(out: string, { report, dateEpochMs }: Evaluation): Promise<string[]> {
  // Only this pays for what draws.
  const [{ evaluationCharts }, { reportHtml }] = await Promise.all([
    import('../reporting/evaluationCharts'),
    import('../reporting/reportHtml'),
  ]);
  const charts = evaluationCharts(report);
  const files: [string, string][] = [
    ['results.json', `${JSON.stringify(harnessResults(report, dateEpochMs), null, 1)}\n`],
    ['report.md', reportMarkdown(report, charts, ({ name }) => `charts/${name}.svg`)],
    ['report.html', reportHtml(report, charts)],
  ];
  await withStagedFolder(out, async (stage) => {
    for (const [name, text] of files) await writeFile(join(stage, name), text);
    if (charts.length > 0) await mkdir(join(stage, 'charts'));
    for (const { name, svg } of charts) await writeFile(join(stage, 'charts', `${name}.svg`), `${svg}\n`);
  });
  const names = files.map(([name]) => name);
  return charts.length > 0 ? [...names, `charts/ (${charts.length})`] : names;
}

function markdownOf(report: EvaluateReport): string {
  const { scores, legend, warnings } = evaluationParts(report);
  if (report.models.length === 1) return harnessTable(harnessResults(report, 0));
  return [scoresMarkdown(scores), ...legend, ...warnings].join('\n\n');
}

/** @param place a file, a folder with report.json or results.json, or the id of a run in `dataFolder` */
export async function readEvaluation(place: string, dataFolder: string): Promise<Evaluation> {
  const runFolder = /^[\w-]+$/.test(place) ? [join(dataFolder, 'runs', place)] : [];
  const candidates = [place, ...[place, ...runFolder].flatMap((folder) => fileNames.map((name) => join(folder, name)))];
  for (const file of candidates) {
    const facts = await stat(file).catch(() => null);
    if (facts?.isFile()) return understood(await readText(file), file, facts.mtimeMs);
  }
  throw new UserError(
    'notFound',
    `${place} is neither an evaluation nor a run with a report; give the file that evaluate --json wrote, or the folder or id of a finished run.`,
  );
}

const fileNames = ['report.json', 'results.json'];

const readText = (file: string) =>
  readFile(file, 'utf8').catch(() => {
    throw new UserError('notFound', `${file} cannot be read; give the file that evaluate --json wrote.`);
  });

async function understood(text: string, file: string, dateEpochMs: number): Promise<Evaluation> {
  const { evaluateReportSchema, harnessResultsSchema } = await import('./evaluationSchema');
  const json = parsed(text);
  const results = harnessResultsSchema.safeParse(json);
  if (results.success) return reportOf(results.data);
  const report = evaluateReportSchema.safeParse(json);
  if (report.success) return { report: report.data, dateEpochMs };
  const kind = typeof json === 'object' && json !== null && 'kind' in json ? json.kind : undefined;
  const what =
    typeof kind === 'string' && kind !== 'evaluate' ? `a report of ${kind}, not of evaluate` : 'no report of evaluate';
  throw new UserError('badData', `${file} is ${what}; give the file that evaluate --json wrote.`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
