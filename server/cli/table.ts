// Tables on a terminal.

import { visibleLine } from '../shared/visible';

/** Columns as wide as their widest cell. A cell is one line, whatever it holds. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(visibleLine));
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => [...(row[i] ?? '')].length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(i === row.length - 1 ? 0 : widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
