// What lies in a study's folder at the end, beside its steps. Pure.
import { harnessResults } from '../../evaluation/harnessResults';
import { finiteJson } from '../../shared/finite';
import type { StudyReport } from './recipe';
import { studyCharts } from '../../reporting/studyCharts';
import { studyHtml } from '../../reporting/studyHtml';
import { studyMarkdown } from '../../reporting/studyMarkdown';
import { formatRecipe } from '../recipeFile';

/**
 * Texts by their path in the folder.
 * @param dateEpochMs when the results were there
 */
export function studyFiles(report: StudyReport, dateEpochMs: number): Record<string, string> {
  const { evaluation, recipe } = report;
  const charts = studyCharts(report);
  return {
    ...Object.fromEntries(charts.map(({ name, svg }) => [`charts/${name}.svg`, `${svg}\n`])),
    ...(evaluation && { 'results.json': asJson(harnessResults(evaluation, dateEpochMs)) }),
    'recipe.yaml': formatRecipe(recipe),
    'report.md': studyMarkdown(report, charts, ({ name }) => `charts/${name}.svg`),
    'report.html': studyHtml(report, charts),
    // Last: where it is, all is there.
    'report.json': asJson(report),
  };
}

const asJson = (value: object): string => `${finiteJson(value, 1)}\n`;
