// The name that may have been meant, for sentences about one that is none: tasks, methods, kinds, fields, commands, options.

/**
 * Names that are near: the same but for case and `-`, `_` or `.`; those that begin with it, or that it begins with; else the one
 * with the fewest edits (Damerau-Levenshtein), if these are few for its length. At most three, and none where none is near.
 */
export function nearNames(name: string, names: readonly string[]): string[] {
  if (name.length > longest) return [];
  const wanted = plain(name);
  const alike = names.filter((other) => plain(other) === wanted);
  if (alike.length > 0 || wanted === '') return alike.slice(0, 1);
  const distances = names.map((other) => editDistance(wanted, plain(other)));
  const least = Math.min(...distances);
  // A slip of the finger is more likely than half a name.
  if (least === 1) return [names[distances.indexOf(least)]!];
  const longer = names.filter((other) => wanted.length >= 3 && plain(other).startsWith(wanted));
  if (longer.length > 0) return longer.sort((a, b) => a.length - b.length).slice(0, 3);
  const shorter = names.filter((other) => plain(other).length >= 4 && wanted.startsWith(plain(other)));
  if (least <= wanted.length / 3 && least <= 3) return [names[distances.indexOf(least)]!];
  return shorter.sort((a, b) => b.length - a.length).slice(0, 1);
}

/** `; did you mean a or b?`, or what `otherwise` says where nothing is near. */
export function meant(name: string, names: readonly string[], otherwise: string): string {
  const near = nearNames(name, names);
  return near.length > 0 ? `; did you mean ${near.join(' or ')}?` : otherwise;
}

/** Nobody meant a longer one, and the edits are counted letter by letter. */
const longest = 100;

const plain = (name: string): string => name.toLowerCase().replace(/[-_.\s]/g, '');

/** Of letters left out, put in, changed, or swapped with the next. */
function editDistance(a: string, b: string): number {
  // rows[i][j]: from the first i characters of `a` to the first j of `b`.
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const [before, change] = [rows[i - 1]!, a[i - 1] === b[j - 1] ? 0 : 1];
      row.push(Math.min(before[j]! + 1, row[j - 1]! + 1, before[j - 1]! + change));
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
