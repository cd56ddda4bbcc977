// A curve as text: rows of block elements, one column a stretch of steps.

const eighths = ['', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const nColumns = 64;
const nRows = 6;

/** From the largest mean of a stretch at the top to the smallest at the bottom; empty for fewer than two values. */
export function lossCurve(values: readonly number[]): string {
  if (values.length < 2) return '';
  const means = stretches(values, Math.min(nColumns, values.length));
  const [least, most] = [Math.min(...means), Math.max(...means)];
  const height = (mean: number) =>
    most === least ? 1 : 1 + Math.round(((mean - least) / (most - least)) * (8 * nRows - 1));
  const heights = means.map(height);
  return Array.from({ length: nRows }, (_, row) => {
    const below = 8 * (nRows - 1 - row);
    return heights
      .map((each) => eighths[Math.min(8, Math.max(0, each - below))] || ' ')
      .join('')
      .trimEnd();
  }).join('\n');
}

function stretches(values: readonly number[], n: number): number[] {
  return Array.from({ length: n }, (_, i) => {
    const some = values.slice(
      Math.floor((i * values.length) / n),
      Math.max(Math.floor(((i + 1) * values.length) / n), Math.floor((i * values.length) / n) + 1),
    );
    return some.reduce((sum, value) => sum + value, 0) / some.length;
  });
}
