// How the report of each kind of recipe looks on a terminal, and as which file --json writes it.
import { harnessResults } from '../evaluation/harnessResults';
import type { Kind, Report, ReportOf } from '../recipes/kinds';
import { weightsInWords } from '../shared/weightWidths';
import {
  renderAnalysis,
  renderExport,
  renderGeneration,
  renderMerge,
  renderModel,
  renderPerplexity,
  renderPrune,
  renderPull,
  renderSparsify,
} from './render';
import { renderCard } from './renderCard';
import { renderEvaluation } from './renderEvaluation';
import { renderHealing } from './renderHealing';
import { renderProof } from './renderProof';
import { renderPublishing } from './renderPublishing';
import { renderPipeline } from './renderPipeline';
import { renderStudy } from './renderStudy';
import { table } from './table';

const renderers: { [K in Kind]?: (report: ReportOf<K>) => string } = {
  pull: renderPull,
  inspect: ({ model }) => renderModel(model),
  analyze: renderAnalysis,
  prune: renderPrune,
  sparsify: renderSparsify,
  perplexity: renderPerplexity,
  generate: renderGeneration,
  heal: renderHealing,
  merge: renderMerge,
  evaluate: renderEvaluation,
  export: renderExport,
  study: renderStudy,
  pipeline: (report) => renderPipeline(report, render),
  prove: renderProof,
  card: renderCard,
  publish: renderPublishing,
};

/** A report for people. Of a kind without a row it shows the numbers and words that stand in the report itself. */
export function render(report: Report): string {
  const renderer = renderers[report.kind] as ((report: Report) => string) | undefined;
  const weights = 'timing' in report ? weightsInWords(report) : null;
  return [renderer ? renderer(report) : plainFacts(report), ...(weights ? [`matrices held as ${weights}`] : [])].join(
    '\n',
  );
}

const plainFacts = (report: Report): string =>
  table(
    Object.entries(report).flatMap(([name, value]) =>
      ['number', 'string', 'boolean'].includes(typeof value) ? [[name, `${value}`]] : [],
    ),
  );

/** What a command writes: of an evaluation, lm-evaluation-harness' results.json with the report in it. */
export const written = (report: Report): object =>
  report.kind === 'evaluate' ? harnessResults(report, Date.now()) : report;
