// The charts of an evaluation. One appears where its data exists.
import { isShare, metricOf } from '../shared/metrics';
import { isMmlu, sixMmluSubjects } from '../shared/mmlu';
import type { EvaluatedModel, EvaluateReport, Score } from '../recipes/evaluate/recipe';
import { type Axis, planeChart, type Point, rowChart, type Series } from './chart';
import { intervalOf } from './figures';
import { percent } from '../shared/numbers';
import { type Style, stylesOf } from '../shared/styles';
import { recoveries } from './recovery';
import { primaryRows, type ScoreRow, scoreOfModel, scoreRows } from './scoreTable';
import { scoreText } from '../shared/scores';

export interface NamedChart {
  /** Of its file, without the ending. */
  name: string;
  title: string;
  /** What is drawn, and what its intervals are. */
  caption: string;
  svg: string;
}

/** @param styles of the models; absent: by their order */
export function evaluationCharts(
  report: EvaluateReport,
  styles: readonly Style[] = stylesOf(report.models),
): NamedChart[] {
  const drawn: Drawn = { ...report, styles };
  const shares = primaryRows(report).filter(({ metric }) => isShare(metric));
  const subjects = shares.filter(({ isGroup, task }) => !isGroup && isMmlu(task));
  const outermost = shares.filter((row) => row.depth === 0);
  const besides = outermost.filter((row) => !subjects.includes(row));
  const benchmarks = besides.length > 0 ? besides : outermost;
  const six = sixMmluSubjects.flatMap((task) => subjects.filter((row) => row.task === task));
  return [
    ...scoreCharts('benchmarks', 'Benchmarks', benchmarks, drawn),
    ...recoveryCharts(drawn),
    ...scoreCharts('mmlu-subjects', 'MMLU subjects', six, drawn),
    ...(subjects.length > six.length ? scoreCharts('mmlu-all', 'All MMLU subjects', subjects, drawn) : []),
    ...sizeCharts(drawn, outermost),
  ];
}

/** A report, and the styles of its models. */
interface Drawn extends EvaluateReport {
  styles: readonly Style[];
}

/** Scores, and what the variants differ by. */
function scoreCharts(name: string, title: string, rows: readonly ScoreRow[], report: Drawn): NamedChart[] {
  if (rows.length === 0) return [];
  const names = rows.map((row) => row.title);
  const scored = seriesOf(report, (k) =>
    rows.flatMap((row, x) => {
      const score = scoreOfModel(row, k);
      return score ? [{ x, ...percentPoint(score) }] : [];
    }),
  );
  const differing = seriesOf(report, (k) =>
    rows.flatMap((row, x): Point[] => {
      const cell = k === 0 ? undefined : row.variants[k - 1];
      if (!cell?.comparison) return [];
      const { delta, interval95 } = cell.comparison;
      const [low, high] = interval95 ?? [null, null];
      return [{ x, y: 100 * delta, low: inPercent(low), high: inPercent(high), hollow: cell.verdict === 'noise' }];
    }),
  );
  const chances = { name: 'chance', values: rows.map(({ chance }) => inPercent(chance)) };
  const scores: NamedChart = {
    name,
    title,
    caption: `${title}: accuracy in percent with its own 95 % interval.`,
    svg: rowChart({
      id: name,
      title,
      rows: names,
      series: scored,
      axis: accuracyAxis,
      marks: 'dots',
      line: null,
      ticks: chances,
    }),
  };
  if (differing.every(({ points }) => points.length === 0)) return [scores];
  const against = `${title}, difference to ${report.models[0]!.label}`;
  return [
    scores,
    {
      name: `${name}-difference`,
      title: against,
      caption: `${against}, in points with its 95 % interval, paired by item; hollow: no more than noise.`,
      svg: rowChart({
        id: `${name}-difference`,
        title: against,
        rows: names,
        series: differing,
        axis: { name: 'difference, points', format: (value) => `${value > 0 ? '+' : ''}${value}`.replace('-', '−') },
        marks: 'dots',
        line: 0,
      }),
    },
  ];
}

/** Bars from 0, the original's value as a line. A variant's interval is that of its difference to the original. */
function recoveryCharts(report: Drawn): NamedChart[] {
  return perplexityRows(report).flatMap((row) => {
    const recovered = recoveries(report, row);
    const title = `${row.title}, ${metricOf(row.metric).label}`;
    const noteOf = (k: number, value: number) => {
      const fraction = recovered.get(k);
      if (fraction === undefined) return scoreText(row.metric, value);
      const share = fraction > 0 ? percent(fraction, 0) : 'nothing';
      return `${scoreText(row.metric, value)}, ${share} recovered`;
    };
    const series = seriesOf(report, (k) => {
      const score = scoreOfModel(row, k);
      if (!score || !Number.isFinite(score.value)) return [];
      const interval = k === 0 ? null : row.variants[k - 1]?.comparison?.interval95;
      const own = intervalOf(score);
      const [low, high] = interval ? [row.base.value + interval[0], row.base.value + interval[1]] : [own.low, own.high];
      return [{ x: k, y: score.value, low: floored(low), high, note: noteOf(k, score.value) }];
    });
    if (!Number.isFinite(row.base.value)) return [];
    const name = `perplexity-${row.task.replaceAll(/[^a-z0-9]+/gi, '-')}`;
    return [
      {
        name,
        title,
        caption: `${title}: the line is ${report.models[0]!.label}; intervals are 95 %, of a variant those of its difference, paired by item.${recovered.size > 0 ? ' Recovered: the share of what pruning cost, in nats.' : ''}`,
        svg: rowChart({
          id: name,
          title,
          rows: report.models.map(({ label }) => label),
          series,
          axis: { name: title, min: 0 },
          marks: 'bars',
          line: row.base.value,
        }),
      },
    ];
  });
}

const floored = (low: number | null) => (low === null ? null : Math.max(0, low));

/** The first perplexity of every task that has one. */
function perplexityRows(report: EvaluateReport): ScoreRow[] {
  const rows = scoreRows(report).filter(({ metric, isGroup }) => metricOf(metric).kind === 'perplexity' && !isGroup);
  return rows.filter((row) => rows.find(({ task }) => task === row.task) === row);
}

/** Mean accuracy over parameters. The tasks' errors are independent, so that of their mean is sqrt(sum se^2) / n. */
function sizeCharts(report: Drawn, rows: readonly ScoreRow[]): NamedChart[] {
  const { models } = report;
  if (rows.length === 0 || new Set(models.map(({ nParameters }) => nParameters)).size < 2) return [];
  const title = rows.length === 1 ? `${rows[0]!.title} by size` : `Mean of ${rows.length} tasks by size`;
  const series = seriesOf(report, (k) => {
    const scores = rows.map((row) => scoreOfModel(row, k)).filter((score) => score !== undefined);
    return scores.length < rows.length ? [] : [{ x: models[k]!.nParameters / 1e6, ...percentPoint(meanScore(scores)) }];
  });
  return [
    {
      name: 'accuracy-by-size',
      title,
      caption: `${title}: accuracy in percent with its 95 % interval, over the parameters of the model.`,
      svg: planeChart({
        id: 'accuracy-by-size',
        title,
        series,
        xAxis: { name: 'parameters, millions' },
        yAxis: { name: 'accuracy, %' },
        joined: false,
      }),
    },
  ];
}

/** A series for every model, in its style. */
function seriesOf({ models, styles }: Drawn, pointsOf: (model: number) => Point[]): Series[] {
  return models.map(({ label }: EvaluatedModel, k) => ({ name: label, ...styles[k]!, points: pointsOf(k) }));
}

const accuracyAxis: Axis = { name: 'accuracy, %' };

const inPercent = (share: number | null) => (share === null ? null : 100 * share);

function percentPoint(score: Pick<Score, 'value' | 'stderr'>): Omit<Point, 'x'> {
  const { low, high } = intervalOf(score);
  return { y: 100 * score.value, low: inPercent(low), high: inPercent(high) };
}

function meanScore(scores: readonly Score[]): Pick<Score, 'value' | 'stderr'> {
  const n = scores.length;
  const value = scores.reduce((sum, score) => sum + score.value, 0) / n;
  const known = scores.every(({ stderr }) => stderr !== null);
  const squares = scores.reduce((sum, { stderr }) => sum + (stderr ?? 0) ** 2, 0);
  return { value, stderr: known ? Math.sqrt(squares) / n : null };
}
