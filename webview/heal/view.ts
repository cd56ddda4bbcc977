// What the page keeps and everything that is shown from it, computed once a rendering.
import type { EarlierHealing, HealingState, HealState } from '../../server/protocol/pages/heal';
import type { HealEval, LossPoint } from '../../server/protocol/reports';
import { clock, counted } from '../../server/shared/numbers';
import type { Curve } from './curve';
import { stepsOf, tokensPerStep } from './settings';

export interface PageState {
  readonly host: HealState;
  /** The part of the horizontal axis that is shown; null: all of it. In the unit of `view.by`. */
  readonly zoom: { readonly from: number; readonly to: number } | null;
  /** The step that the crosshair is on, from 1; null: it is away. */
  readonly cross: { readonly step: number; readonly pinned: boolean } | null;
  /** Pixels from the left edge of the chart, while a part is being chosen. */
  readonly drag: { readonly from: number; readonly to: number } | null;
  /** The ways to export are shown. */
  readonly menu: boolean;
  readonly failure: string | null;
  /** What was written last. */
  readonly written: string | null;
  readonly busy: boolean;
}

export interface RunView {
  readonly state: PageState;
  readonly healing: HealingState;
  readonly curve: Curve;
  readonly nSteps: number;
  readonly last: HealEval | null;
  /** Of the share that is back, as far as it is known. */
  readonly recovered: number | null;
  readonly original: LossPoint | null;
  readonly pruned: LossPoint | null;
  readonly overlays: readonly EarlierHealing[];
  /** The share of the loss lost by pruning that is back; for the newest judgement. */
  readonly phase: Phase;
  /** Values of the horizontal axis. */
  readonly x: Axis;
}

export type Phase = 'preparing' | 'running' | 'paused' | 'diverged' | 'done' | 'failed' | 'cancelled' | 'interrupted';

export interface Axis {
  /** Of the end of a step, by its index in the curve. */
  readonly values: ArrayLike<number>;
  /** Of a number of steps that are done. */
  at(steps: number): number;
  readonly end: number;
}

export function runViewOf(state: PageState, healing: HealingState, curve: Curve): RunView {
  const { host } = state;
  const { report, references, run } = healing;
  const dense = report?.dense ?? references?.dense ?? null;
  const pruned = report?.pruned ?? references?.pruned ?? null;
  const last = curve.evals.at(-1) ?? null;
  const nSteps = stepsOf(healing.recipe);
  return {
    state,
    healing,
    curve,
    nSteps,
    last,
    recovered: last ? shareBack(last, dense, pruned) : null,
    original: dense,
    pruned,
    overlays: host.earlier.filter((it) => host.view.overlays.includes(it.run.runId)),
    phase: phaseOf(healing, run.state),
    x: axisOf(state, healing, curve, nSteps),
  };
}

/** (pruned - now) / (pruned - dense), in nats; null where there is nothing to win back. */
export function shareBack(
  { lossNats, recoveredFraction }: HealEval,
  dense: LossPoint | null,
  pruned: LossPoint | null,
): number | null {
  if (recoveredFraction !== null) return recoveredFraction;
  if (!dense || !pruned || dense.lossNats >= pruned.lossNats) return null;
  return (pruned.lossNats - lossNats) / (pruned.lossNats - dense.lossNats);
}

function phaseOf({ report, adapter }: HealingState, state: HealingState['run']['state']): Phase {
  if (state === 'done') return report?.stoppedBy === 'divergence' ? 'diverged' : 'done';
  if (state === 'queued') return 'preparing';
  if (state === 'running') return adapter ? 'running' : 'preparing';
  return state;
}

function axisOf({ host }: PageState, healing: HealingState, curve: Curve, nSteps: number): Axis {
  const { length } = curve;
  const done = curve.column('step');
  const { by } = host.view;
  const unit = by === 'tokens' ? tokensPerStep(healing.recipe) : 1;
  if (by !== 'seconds') {
    // Drawn at the end of its step: one step is done then.
    const values = { length, at: (i: number) => (done[i]! + 1) * unit };
    return { values: columnOf(values), at: (steps) => steps * unit, end: nSteps * unit };
  }
  const spent = length === 0 ? 0 : curve.seconds[length - 1]!;
  const left = isOver(healing.run.state) ? 0 : (healing.remainingSeconds ?? 0);
  const perStep = length === 0 ? 1 : spent / length;
  return {
    values: curve.seconds,
    at(steps) {
      const index = Math.min(Math.round(steps), length) - 1;
      return steps > length ? spent + (steps - length) * perStep : index < 0 ? 0 : curve.seconds[index]!;
    },
    end: Math.max(spent + left, 1),
  };
}

/** When the model is judged next, by the time that the steps up to then will take. */
export function nextEvaluation({ curve, nSteps, healing, x, phase }: RunView): { at: number; label: string } | null {
  const every = healing.recipe.loop.evaluateEverySteps;
  const step = Math.min(nSteps, (Math.floor(curve.nDone / every) + 1) * every);
  if (curve.nDone === 0 || step <= curve.nDone) return null;
  const left = healing.remainingSeconds;
  const seconds = left === null ? null : (left * (step - curve.nDone)) / Math.max(1, nSteps - curve.nDone);
  const label =
    seconds === null || phase === 'paused'
      ? `next in ${counted(step - curve.nDone, 'step')}`
      : `next in ${clock(seconds)}`;
  return { at: x.at(step), label };
}

export const isOver = (state: HealingState['run']['state']): boolean =>
  !['queued', 'running', 'paused'].includes(state);

let column = new Float64Array(0);
/** One array serves every rendering. */
function columnOf({ length, at }: { length: number; at: (i: number) => number }): Float64Array {
  if (column.length < length) column = new Float64Array(2 * length);
  for (let i = 0; i < length; i++) column[i] = at(i);
  return column;
}
