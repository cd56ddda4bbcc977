// Reduces a long curve to what its width in pixels can show: the first, the least, the greatest and the last value of each
// column of pixels, so that no spike is lost and nothing flickers while points come in.

export interface Downsampling {
  /** Ascending. */
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  length: number;
  /** From an x to its pixel, and back. Asked once a pixel, not once a point. */
  pixel: (x: number) => number;
  at: (pixel: number) => number;
}

/** Points between the indices `from` and `to` (half-open), as pairs. Values that are no number are left out. */
export function downsampled({ x, y, length, pixel, at }: Downsampling, from = 0, to = length): [number, number][] {
  const points: [number, number][] = [];
  let [first, least, greatest, last] = [-1, -1, -1, -1];
  /** Where the next column of pixels begins. */
  let bound = Number.NEGATIVE_INFINITY;
  const flush = () => {
    if (first < 0) return;
    const [low, high] = least < greatest ? [least, greatest] : [greatest, least];
    points.push([x[first]!, y[first]!]);
    if (low > first && low < last) points.push([x[low]!, y[low]!]);
    if (high > first && high < last && high !== low) points.push([x[high]!, y[high]!]);
    if (last > first) points.push([x[last]!, y[last]!]);
    first = -1;
  };
  for (let i = from; i < to; i++) {
    const value = y[i]!;
    if (!Number.isFinite(value)) continue;
    if (x[i]! >= bound) {
      flush();
      bound = at(Math.floor(pixel(x[i]!)) + 1);
    }
    if (first < 0) {
      first = i;
      least = i;
      greatest = i;
    } else if (value < y[least]!) least = i;
    else if (value > y[greatest]!) greatest = i;
    last = i;
  }
  flush();
  return points;
}
