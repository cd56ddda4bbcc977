// The curve as a CSV table for others, in full precision.
import { tokensPerStep } from './settings';
import { type RunView, shareBack } from './view';

const columns = [
  'step',
  'tokens',
  'seconds',
  'train_loss_nats',
  'train_loss_smoothed_nats',
  'held_out_loss_nats',
  'held_out_recovered_fraction',
  'learning_rate',
  'gradient_norm',
  'tokens_per_second',
  'memory_bytes',
];

/** ASCII, with units in the names of columns. A row is a step that is done, from 1; row 0 is the model before the first. */
export function csvOf({ curve, healing, state, original, pruned }: RunView): string {
  const perStep = tokensPerStep(healing.recipe);
  const smoothed = curve.smoothed(state.host.view.smoothing);
  const evaluations = new Map(curve.evals.map((it) => [it.step, it]));
  const evaluationAt = (step: number) => {
    const held = evaluations.get(step);
    evaluations.delete(step);
    return held ? [held.lossNats, shareBack(held, original, pruned) ?? Number.NaN] : [Number.NaN, Number.NaN];
  };
  const row = (values: number[]) => values.map((value) => (Number.isFinite(value) ? String(value) : '')).join(',');
  const none = Number.NaN;
  const rows: string[] = [columns.join(',')];
  if (evaluations.has(0)) rows.push(row([0, 0, 0, none, none, ...evaluationAt(0), none, none, none, none]));
  for (let i = 0; i < curve.length; i++) {
    const step = curve.column('step')[i]! + 1;
    rows.push(
      row([
        step,
        step * perStep,
        curve.seconds[i]!,
        curve.column('lossNats')[i]!,
        smoothed[i]!,
        ...evaluationAt(step),
        ...(['learningRate', 'gradNorm', 'tokensPerSecond', 'memoryBytes'] as const).map(
          (name) => curve.column(name)[i]!,
        ),
      ]),
    );
  }
  return `${rows.join('\n')}\n`;
}
