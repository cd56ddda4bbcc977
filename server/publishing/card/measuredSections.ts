// What reports measured of a model, beside its original: benchmarks, perplexity, size and speed.
import { formatDropSet, isEmpty } from '../../shared/dropSets';
import { differenceText, scoreText } from '../../shared/scores';
import { metricOf } from '../../shared/metrics';
import { costWithInterval, plain, size } from '../../shared/numbers';
import { normalQuantile } from '../../shared/statistics';
import { markdownTable, marked } from '../../reporting/reportMarkdown';
import { primaryRows, type ScoreRow } from '../../reporting/scoreTable';
import type { Score } from '../../recipes/evaluate/recipe';
import { type CardFacts, evaluationsOf, isThis, type ReportOf, reportsOf } from './facts';
import { code, factList, parameters, section } from './markdown';

export function benchmarkSection(facts: CardFacts): string | null {
  const reports = evaluationsOf(facts);
  if (reports.length === 0) return null;
  return section(
    'Benchmarks against the original',
    ...reports.map((report) => scoresOf(report, facts)),
    'Scores are those of [lm-evaluation-harness](https://github.com/EleutherAI/lm-evaluation-harness), shares in percent. ± is a 95 % interval: of a score from its own error, of a difference paired item by item.',
  );
}

/** More would be no table that one can read. */
const mostColumns = 3;

/** The original, this model with its difference, and the other models of the report where they are few. */
function scoresOf(report: ReportOf<'evaluate'>, facts: CardFacts): string {
  const { models } = report;
  const isFew = models.length - 1 <= mostColumns;
  const shown = models.slice(1).map((model) => isFew || isThis(facts, model));
  const ofShown = <T>(list: readonly T[]): T[] => list.filter((_, i) => shown[i]);
  const variants = ofShown(models.slice(1));
  const head = ['task', 'metric', 'items', marked(models[0]!.label)];
  const heads = variants.flatMap((model) => [isThis(facts, model) ? 'this model' : marked(model.label), 'difference']);
  const rows = primaryRows(report).map((row) => [
    marked(row.title),
    marked(metricOf(row.metric).label),
    `${row.nItems}`,
    withError(row, row.base),
    ...ofShown(row.variants).flatMap((cell) =>
      cell ? [withError(row, cell.score), cell.comparison ? differenceText(cell.comparison) : '–'] : ['–', '–'],
    ),
  ]);
  const shots = report.tasks.map(({ title, nFewShot }) => `${marked(title)} ${nFewShot}`).join(', ');
  return [markdownTable([...head, ...heads], rows, 2), `Examples before each question: ${shots}.`].join('\n\n');
}

function withError({ metric }: ScoreRow, { value, stderr }: Score): string {
  const text = scoreText(metric, value);
  return stderr === null ? text : `${text} ± ${scoreText(metric, normalQuantile * stderr, value)}`;
}

export function perplexitySection(facts: CardFacts): string | null {
  const reports = reportsOf(facts, 'perplexity');
  if (reports.length === 0) return null;
  return section('Perplexity', ...reports.flatMap((report) => perplexitiesOf(report, facts)));
}

function perplexitiesOf({ models }: ReportOf<'perplexity'>, facts: CardFacts): string[] {
  const rows = models.map((model) => {
    const { lossNats, lossStandardError, perplexity } = model;
    return [nameOf(model, facts), lossText(lossNats, lossStandardError), plain(perplexity, 3)];
  });
  const { source, definition } = models[0]!;
  const texts = source.files.map(({ name, sha256 }) => `${marked(name)} (sha256 ${code(sha256)})`).join(', ');
  return [
    markdownTable(['model', 'loss, nats a token', 'perplexity'], rows, 1),
    `On ${texts}: ${marked(definition)}. Perplexity is e to the power of the mean loss.`,
  ];
}

const lossText = (nats: number, error: number | null) =>
  error === null ? plain(nats, 4) : `${plain(nats, 4)} ± ${plain(normalQuantile * error, 4)}`;

function nameOf(model: ReportOf<'perplexity'>['models'][number], facts: CardFacts): string {
  const drop = { blocks: model.dropSet, ...model.droppedSublayers };
  if (isThis(facts, { ...model, drop })) return 'this model';
  return marked(isEmpty(drop) ? model.name : `${model.name} without ${formatDropSet(drop)}`);
}

export function sizeSection(facts: CardFacts): string | null {
  const { model } = facts;
  const pruned = reportsOf(facts, 'prune').find(({ out }) => isThis(facts, { folder: out, name: out }));
  const adapter = reportsOf(facts, 'heal')[0]?.adapter;
  const speeds = reportsOf(facts, 'generate').map(
    ({ model: of, nNewTokens, tokensPerSecond, device, threads }) =>
      `${isThis(facts, of) ? 'this model' : marked(of.name)} ${plain(tokensPerSecond, 1)} tokens a second over ${nNewTokens} tokens (${marked(device)}, ${threads} threads)`,
  );
  const rows: [string, string | null][] = [
    ['blocks', model && `${model.nBlocks}${facts.cut.nBlocks === null ? '' : ` of ${facts.cut.nBlocks}`}`],
    [
      'parameters',
      model && `${parameters(model.nParameters)}${pruned ? ` of ${parameters(pruned.nParamsBefore)}` : ''}`,
    ],
    [
      'weights',
      model &&
        `${size(model.sizeBytes)}, ${marked(model.dtype)}${pruned ? `; the original has ${size(pruned.sizeBytesBefore)}` : ''}`,
    ],
    ['adapter', model === null && adapter ? `${parameters(adapter.nParameters)} parameters` : null],
    ['context', model && `${model.contextLength} tokens`],
    ['generation', speeds.length > 0 ? speeds.join('; ') : null],
  ];
  const list = factList(rows);
  return list === '' ? null : section('Size and speed', list);
}

/** Of a study: what the method, the count and the healing of this variant cost beside the others. */
export function studySection(facts: CardFacts): string | null {
  const reports = reportsOf(facts, 'study');
  if (reports.length === 0) return null;
  return section('Beside its siblings', ...reports.map((report) => siblingsOf(report, facts)));
}

function siblingsOf({ variants, perplexity }: ReportOf<'study'>, { folder }: CardFacts): string {
  const rows = variants.map((variant) => {
    const { label, methods, loss, nParameters } = variant;
    const cost = variant.count === 0 || !loss ? '' : costWithInterval(loss.costNats, loss.costStandardError);
    return [
      `${marked(label)}${variant.folder === folder ? ' (this model)' : ''}`,
      methods.map(marked).join(', '),
      parameters(nParameters),
      loss ? plain(loss.lossNats, 4) : '–',
      cost,
    ];
  });
  const on = perplexity ? `, on ${perplexity.files.map(({ name }) => marked(name)).join(', ')}` : '';
  return [
    markdownTable(['variant', 'chosen by', 'parameters', 'loss, nats', 'against the original'], rows, 2),
    `All variants of one study${on}; ± is a 95 % interval.`,
  ].join('\n\n');
}
