// A study as one HTML file, with its charts within.
import type { StudyReport } from '../recipes/study/recipe';
import { escaped } from './escaped';
import { figureHtml, htmlPage, tableHtml } from './htmlPage';
import { type StudyChart, type StudyPart, studyParts } from './studyParts';

export function studyHtml(report: StudyReport, charts: readonly StudyChart[]): string {
  const { title, sections } = studyParts(report);
  const body = sections.flatMap((section) => [
    ...(section.title === null ? [] : [`<h2>${escaped(section.title)}</h2>`]),
    ...section.parts.flatMap((part) => partHtml(part, charts)),
  ]);
  return htmlPage(title, [`<h1>${escaped(title)}</h1>`, ...body]);
}

function partHtml(part: StudyPart, charts: readonly StudyChart[]): string[] {
  switch (part.kind) {
    case 'text':
      return [`<p>${escaped(part.text)}</p>`];
    case 'heading':
      return [`<h3>${escaped(part.text)}</h3>`];
    case 'list':
      return [`<ul>${part.items.map((item) => `<li>${escaped(item)}</li>`).join('\n')}</ul>`];
    case 'table':
      return [tableHtml(part.head, part.rows, part.nWordColumns)];
    case 'charts':
      return charts.filter(({ topic }) => topic === part.topic).map((chart) => figureHtml(chart, foldedAbovePx));
  }
}

/** A row of a chart shows all variants, so a chart is long even with few rows. */
const foldedAbovePx = 2000;
