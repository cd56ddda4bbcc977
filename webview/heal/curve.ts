// The points of a healing as they came, in columns of numbers that grow: a hundred thousand of them cost no objects. Reading
// them costs what is shown (bins.ts), and the average goes on from where it was.
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
  /** Those that the curve has reached, by step. */
  readonly evals: readonly HealEval[];
  /** Steps that are done. */
  readonly nDone: number;
  /** Only the first `length` of it are points. What is no number is NaN. */
  column(name: ColumnName): Float64Array;
  /** Seconds of training up to the end of each step, without what lay between steps. */
  readonly seconds: Float64Array;
  /** The average of the loss with such a weight of what came before, corrected for its start. */
  smoothed(weight: number): Float64Array;
  append(points: HealPoints): void;
}

/** @param tokensPerStep of a full step, for the time that a step took */
export function openCurve(tokensPerStep: number): Curve {
  const columns = Object.fromEntries(columnNames.map((name) => [name, empty()])) as Record<ColumnName, Float64Array>;
  let seconds = empty();
  let average = { weight: Number.NaN, values: empty(), length: 0, sum: 0, share: 0 };
  let judged: HealEval[] = [];
  let length = 0;
  let version = 0;

  const nDone = () => (length === 0 ? 0 : columns.step[length - 1]! + 1);

  /** A resumed run tells what was before again; an earlier step than the last takes back all from there. */
  function cutFrom(step: number): void {
    const at = firstAtLeast(columns.step, length, step);
    if (at === length) return;
    length = at;
    average.weight = Number.NaN;
  }

  function put(points: HealPoints, i: number): void {
    if (length === columns.step.length) {
      for (const name of columnNames) columns[name] = doubled(columns[name]);
      seconds = doubled(seconds);
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
      return judged.filter(({ step }) => step <= nDone());
    },
    get nDone() {
      return nDone();
    },
    get seconds() {
      return seconds;
    },
    column: (name) => columns[name],
    smoothed(weight) {
      if (average.weight !== weight) average = { weight, values: empty(), length: 0, sum: 0, share: 0 };
      if (average.values.length < length) {
        const grown = new Float64Array(columns.step.length);
        grown.set(average.values);
        average.values = grown;
      }
      const { lossNats } = columns;
      for (; average.length < length; average.length++) {
        const loss = lossNats[average.length]!;
        // m = w m + (1 - w) loss; divided by 1 - w^n, the share that has come in, so that it does not start at zero.
        if (Number.isFinite(loss)) {
          average.sum = weight * average.sum + (1 - weight) * loss;
          average.share = weight * average.share + (1 - weight);
        }
        average.values[average.length] = average.share > 0 ? average.sum / average.share : Number.NaN;
      }
      return average.values;
    },
    append(points) {
      for (let i = 0; i < points.step.length; i++) {
        if (length > 0 && points.step[i]! <= columns.step[length - 1]!) cutFrom(points.step[i]!);
        put(points, i);
      }
      for (const next of points.evals)
        judged = [...judged.filter(({ step }) => step !== next.step), next].sort((a, b) => a.step - b.step);
      version++;
    },
  };
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

function doubled(values: Float64Array): Float64Array {
  const grown = new Float64Array(2 * values.length);
  grown.set(values);
  return grown;
}
