// An axis, linear or logarithmic: its values as the chart places them, and where its marks are. The chart's own logarithmic
// axis has marks at powers of ten alone, and a loss lies between two of them.

export interface Scale {
  /** From a value to its place; both ways are monotonous. */
  place(value: number): number;
  value(place: number): number;
  /** About so many values between the two, round where they can be. */
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
    // Within a factor of some, round values are as good as powers.
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
