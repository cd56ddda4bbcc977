// A linear or logarithmic axis: where it places values, and which values get a mark. The chart's own logarithmic axis marks
// powers of ten only, and most losses lie between two of them.

export interface Scale {
  /** From a value to its place on the axis. Both directions are monotonic. */
  place(value: number): number;
  value(place: number): number;
  /** About so many values from `low` to `high`, round ones where possible. */
  marks(low: number, high: number, about: number): number[];
}

export const linear: Scale = {
  place: (value) => value,
  value: (place) => place,
  marks: roundValues,
};

export const logarithmic: Scale = {
  place: Math.log10,
  value: (place) => 10 ** place,
  marks(low, high, about) {
    // Over less than one power of ten, round values read better than powers.
    if (high / low < 8) return roundValues(low, high, about);
    const factors = high / low > 10 ** about ? [1] : high / low > 1000 ? [1, 3] : [1, 2, 5];
    const marks: number[] = [];
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
      for (const factor of factors) if (factor * power >= low && factor * power <= high) marks.push(factor * power);
    return marks;
  },
};

export function roundValues(low: number, high: number, about: number): number[] {
  if (!(high > low)) return [];
  const step = roundStep((high - low) / about);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= 0.7 * rough) ?? 10);
}
