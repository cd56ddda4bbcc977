// Tables on a terminal.

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
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
