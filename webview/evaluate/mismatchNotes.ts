// Sentences above the table about scores that cannot be compared, for which no difference is shown.
import { type Mismatch, rules } from '../../server/shared/comparability';
import type { Column } from './columns';
import { leavesOf, type Row } from './table';

/** One sentence for each variant and kind of difference; what all its tasks share is said once. */
export function mismatchNotes(rows: readonly Row[], columns: readonly Column[]): { lead: string; rest: string }[] {
  const leaves = leavesOf(rows).filter(({ kind }) => kind === 'task');
  const found = new Map<string, { mismatch: Mismatch; column: Column; titles: string[]; nShown: number }>();
  for (const [i, column] of columns.slice(1).entries()) {
    const shown = leaves.filter(({ cells }) => cells[i]?.value.state === 'known');
    for (const { title, cells } of shown) {
      const { difference } = cells[i]!;
      for (const mismatch of difference.state === 'differs' ? difference.mismatches : []) {
        const key = JSON.stringify([i, mismatch]);
        const known = found.get(key) ?? { mismatch, column, titles: [], nShown: shown.length };
        known.titles.push(title);
        found.set(key, known);
      }
    }
  }
  return [...found.values()].map(({ mismatch, column, titles, nShown }) => ({
    lead: `${subject(titles, nShown)} scored ${rules[mismatch.what].scored}: `,
    rest: `original ${mismatch.base}, ${column.name} ${mismatch.variant}.`,
  }));
}

function subject(titles: readonly string[], nShown: number): string {
  if (titles.length === nShown && nShown > 1) return 'All tasks were';
  if (titles.length > 3) return `${titles.slice(0, 2).join(', ')} and ${titles.length - 2} more tasks were`;
  return titles.length === 1 ? `${titles[0]} was` : `${titles.slice(0, -1).join(', ')} and ${titles.at(-1)} were`;
}
