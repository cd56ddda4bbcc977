// The points of a healing in the order in which they came, in growing arrays of numbers, so that a hundred thousand of them
// need no objects. Reading costs only what is shown (downsample.ts), and the moving average is continued, not recomputed.
import type { HealPoints } from '../../server/protocol/pages/heal';
import type { HealEval } from '../../server/protocol/reports';

export type ColumnName = Exclude<keyof HealPoints, 'evals'>;

export const columnNames = [
  'step',
  'lossNats',
  'gradNorm',
  'learningRate',
  'tokensPerSecond',
  'memoryBytes',
] as const satisfies ColumnName[];

export interface Curve {
  readonly length: number;
  /** Grows with every change. */
  readonly version: number;
  /** The evaluations that the curve has reached, by step. */
  readonly evals: readonly HealEval[];
  /** Steps that are done. */
  readonly nDone: number;
  /** Only the first `length` values are points. What is no number is NaN. */
  column(name: ColumnName): Float64Array;
  /** Seconds of training up to the end of each step, without what lay between steps. */
  readonly seconds: Float64Array;
  /** The moving average of the loss with such a weight of what came before, corrected for its start. */
  smoothed(weight: number): Float64Array;
  append(points: HealPoints): void;
}

/** @param tokensPerStep of a full step, for the time that a step took */
export function openCurve(tokensPerStep: number): Curve {
  const columns = Object.fromEntries(columnNames.map((name) => [name, empty()])) as Record<ColumnName, Float64Array>;
  let seconds = empty();
  let average: MovingAverage = startOfAverage(Number.NaN);
  let evals: HealEval[] = [];
  let length = 0;
  let version = 0;

  const nDone = () => (length === 0 ? 0 : columns.step[length - 1]! + 1);

  /** A resumed run sends earlier steps again: an earlier step than the last takes back all from there. */
  function cutFrom(step: number): void {
    const at = firstAtLeast(columns.step, length, step);
    if (at < length) average = startOfAverage(Number.NaN);
    length = at;
  }

  function put(points: HealPoints, i: number): void {
    if (length === columns.step.length) {
      for (const name of columnNames) columns[name] = resized(columns[name], 2 * length);
      seconds = resized(seconds, 2 * length);
    }
    for (const name of columnNames) columns[name][length] = points[name][i] ?? Number.NaN;
    const took = tokensPerStep / columns.tokensPerSecond[length]!;
    seconds[length] = (length === 0 ? 0 : seconds[length - 1]!) + (Number.isFinite(took) ? took : 0);
    length++;
  }

  return {
    get length() {
      return length;
    },
    get version() {
      return version;
    },
    get evals() {
      return evals.filter(({ step }) => step <= nDone());
    },
    get nDone() {
      return nDone();
    },
    get seconds() {
      return seconds;
    },
    column: (name) => columns[name],
    smoothed(weight) {
      if (average.weight !== weight) average = startOfAverage(weight);
      return continueAverage(average, columns.lossNats, length);
    },
    append(points) {
      for (let i = 0; i < points.step.length; i++) {
        if (length > 0 && points.step[i]! <= columns.step[length - 1]!) cutFrom(points.step[i]!);
        put(points, i);
      }
      for (const next of points.evals)
        evals = [...evals.filter(({ step }) => step !== next.step), next].sort((a, b) => a.step - b.step);
      version++;
    },
  };
}

/** An exponential moving average up to `length` values: m = w m + (1 - w) loss. */
interface MovingAverage {
  readonly weight: number;
  values: Float64Array;
  length: number;
  sum: number;
  /** 1 - w^n after n values: the sum is divided by it, so that the average does not start at zero. */
  share: number;
}

const startOfAverage = (weight: number): MovingAverage => ({ weight, values: empty(), length: 0, sum: 0, share: 0 });

/** Goes on with the average up to `length` losses, and returns its values. A loss that is no number changes nothing. */
function continueAverage(average: MovingAverage, lossNats: Float64Array, length: number): Float64Array {
  const { weight } = average;
  if (average.values.length < length) average.values = resized(average.values, lossNats.length);
  for (; average.length < length; average.length++) {
    const loss = lossNats[average.length]!;
    if (Number.isFinite(loss)) {
      average.sum = weight * average.sum + (1 - weight) * loss;
      average.share = weight * average.share + (1 - weight);
    }
    average.values[average.length] = average.share > 0 ? average.sum / average.share : Number.NaN;
  }
  return average.values;
}

/** The index of the first of `length` ascending values that is not below `value`. */
export function firstAtLeast(values: ArrayLike<number>, length: number, value: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const empty = (): Float64Array => new Float64Array(1024);

function resized(values: Float64Array, length: number): Float64Array {
  const next = new Float64Array(length);
  next.set(values);
  return next;
}
