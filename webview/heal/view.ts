// Everything that the page shows of a run, computed once before a rendering from the state and the curve.
import type { EarlierHealing, HealingState } from '../../server/protocol/pages/heal';
import type { HealEval, LossPoint } from '../../server/protocol/reports';
import { clock, counted } from '../../server/shared/numbers';
import { recoveredFraction } from '../../server/shared/recovery';
import { isActive } from '../components/runState';
import type { Curve } from './curve';
import { stepsOf, tokensPerStep } from './settings';
import type { PageState } from './state';

export interface RunView {
  readonly state: PageState;
  readonly healing: HealingState;
  readonly curve: Curve;
  readonly nSteps: number;
  readonly last: HealEval | null;
  /** The share of the loss added by pruning that is recovered, by the newest evaluation; null where it is not known. */
  readonly recovered: number | null;
  readonly original: LossPoint | null;
  readonly pruned: LossPoint | null;
  readonly overlays: readonly EarlierHealing[];
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
  const original = report?.dense ?? references?.dense ?? null;
  const pruned = report?.pruned ?? references?.pruned ?? null;
  const last = curve.evals.at(-1) ?? null;
  const nSteps = stepsOf(healing.recipe);
  return {
    state,
    healing,
    curve,
    nSteps,
    last,
    recovered: last ? shareBack(last, original, pruned) : null,
    original,
    pruned,
    overlays: host.earlier.filter((it) => host.view.overlays.includes(it.run.runId)),
    phase: phaseOf(healing, run.state),
    x: axisOf(state, healing, curve, nSteps),
  };
}

/** (pruned - now) / (pruned - original), in nats; null where there is nothing to win back. */
export function shareBack(
  { lossNats, recoveredFraction: known }: HealEval,
  original: LossPoint | null,
  pruned: LossPoint | null,
): number | null {
  if (known !== null) return known;
  if (!original || !pruned) return null;
  return recoveredFraction({ original: original.lossNats, pruned: pruned.lossNats, healed: lossNats });
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
    // A loss is drawn at the end of its step.
    const values = { length, at: (i: number) => (done[i]! + 1) * unit };
    return { values: columnOf(values), at: (steps) => steps * unit, end: nSteps * unit };
  }
  const spent = length === 0 ? 0 : curve.seconds[length - 1]!;
  const left = isActive(healing.run.state) ? (healing.remainingSeconds ?? 0) : 0;
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

/** When the model is evaluated next, by the time that the steps up to then will take. */
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

let column = new Float64Array(0);
/** Every rendering uses the same array, which grows with the curve. */
function columnOf({ length, at }: { length: number; at: (i: number) => number }): Float64Array {
  if (column.length < length) column = new Float64Array(2 * length);
  for (let i = 0; i < length; i++) column[i] = at(i);
  return column;
}
