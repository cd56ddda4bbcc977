// A study as Markdown, with its charts as pictures beside it.
import type { StudyReport } from '../recipes/study/recipe';
import { markdownTable, marked } from './reportMarkdown';
import { type StudyChart, type StudyPart, studyParts } from './studyParts';

/** @param chartPath where the picture of a chart lies, as seen from the page */
export function studyMarkdown(
  report: StudyReport,
  charts: readonly StudyChart[],
  chartPath: (chart: StudyChart) => string,
): string {
  const { title, sections } = studyParts(report);
  const markdownOf = (part: StudyPart): string[] => {
    switch (part.kind) {
      case 'text':
        return [marked(part.text)];
      case 'heading':
        return [`### ${marked(part.text)}`];
      case 'list':
        return part.items.length > 0 ? [part.items.map((item) => `- ${marked(item)}`).join('\n')] : [];
      case 'table':
        return [
          markdownTable(
            part.head,
            part.rows.map((row) => row.map(marked)),
            part.nWordColumns,
          ),
        ];
      case 'charts':
        return charts
          .filter(({ topic }) => topic === part.topic)
          .map((chart) => `![${marked(chart.title)}](${chartPath(chart)})\n\n${marked(chart.caption)}`);
    }
  };
  const parts = sections.flatMap((section) => [
    ...(section.title === null ? [] : [`## ${section.title}`]),
    ...section.parts.flatMap(markdownOf),
  ]);
  return `${[`# ${marked(title)}`, ...parts].join('\n\n')}\n`;
}
