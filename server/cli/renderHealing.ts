// A healing on a terminal: its curve in one line, its evaluations as a table.
import type { HealEval, HealStep } from '../protocol/reports';
import type { HealReport } from '../recipes/heal/recipe';
import { table } from './table';

export function renderHealing(report: HealReport): string {
  const { adapter, data, steps, evals, dense, pruned, healed } = report;
  const last = evals.at(-1);
  const lines = [
    `${report.model.name}: adapter of rank ${adapter.rank} on ${adapter.targets.join(', ')} of ${adapter.blocks.length} blocks, ` +
      `${adapter.nParameters} parameters`,
    `trained on ${data.nTrainingItems} sequences (${data.nTokens} tokens, ${data.nCountedTokens} counted` +
      `${data.nTruncated > 0 ? `, ${data.nTruncated} cut off` : ''}), ${steps.length} steps`,
    '',
    `loss ${sparkline(steps.map((step) => step.lossNats))}  ${steps.length > 0 ? `${nats(steps[0]!.lossNats)} to ${nats(steps.at(-1)!.lossNats)}` : ''}`,
    '',
    ...(evals.length > 0 ? [evaluationTable(evals), ''] : []),
    table([
      ['model', 'loss', 'perplexity'],
      ...(dense ? [['original', nats(dense.lossNats), dense.perplexity.toFixed(2)]] : []),
      ...(pruned ? [['pruned', nats(pruned.lossNats), pruned.perplexity.toFixed(2)]] : []),
      ...(healed ? [[`healed (step ${report.bestStep})`, nats(healed.lossNats), healed.perplexity.toFixed(2)]] : []),
    ]),
    '',
    ...(last?.recoveredFraction != null ? [`recovered ${percent(bestFraction(evals))} of what pruning cost`] : []),
    `stopped by ${stops[report.stoppedBy]}; the adapter is in ${report.out}`,
    ...(report.warning ? [`Warning: ${report.warning}`] : []),
  ];
  return lines.join('\n');
}

const stops: Record<HealReport['stoppedBy'], string> = {
  steps: 'the last step',
  patience: 'its patience',
  request: 'request',
  divergence: 'divergence',
};

export function evaluationTable(evals: readonly HealEval[]): string {
  return table([
    ['after steps', 'held-out loss', 'perplexity', 'recovered'],
    ...evals.map(({ step, lossNats, perplexity, recoveredFraction }) => [
      `${step}`,
      nats(lossNats),
      perplexity.toFixed(2),
      recoveredFraction === null ? '-' : percent(recoveredFraction),
    ]),
  ]);
}

/** One line while it runs. */
export function stepLine(
  steps: readonly HealStep[],
  nSteps: number,
  remainingSeconds: number,
  memoryBytes: number,
): string {
  const { step, lossNats, learningRate, gradNorm, tokensPerSecond } = steps.at(-1)!;
  return (
    `step ${step + 1}/${nSteps} ${sparkline(
      steps.map((s) => s.lossNats),
      24,
    )} loss ${nats(lossNats)}  ` +
    `lr ${learningRate.toExponential(1)}  norm ${gradNorm.toFixed(2)}  ${Math.round(tokensPerSecond)} tok/s  ` +
    `${clock(remainingSeconds)} left  ${(memoryBytes / 1e9).toFixed(1)} GB`
  );
}

const ticks = '▁▂▃▄▅▆▇█';

/** The values in at most so many characters, each the mean of its share. */
export function sparkline(values: readonly number[], width = 60): string {
  if (values.length === 0) return '';
  const n = Math.min(width, values.length);
  const means = Array.from({ length: n }, (_, i) => {
    const share = values.slice(Math.floor((i * values.length) / n), Math.floor(((i + 1) * values.length) / n));
    return share.reduce((sum, x) => sum + x, 0) / share.length;
  });
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const scale = high > low ? (ticks.length - 1) / (high - low) : 0;
  return means.map((x) => ticks[Math.round((x - low) * scale)]).join('');
}

const bestFraction = (evals: readonly HealEval[]) => Math.max(...evals.map((it) => it.recoveredFraction ?? 0));
const nats = (x: number) => x.toFixed(4);
const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
const clock = (seconds: number) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
