// What changed the disk, in order. Files are known by numbers, so that a write through an open file is told apart from what
// another file of the same name got later.

export type JournalEntry =
  /** A file that was there before, under its number from now on. */
  | { readonly op: 'found'; readonly path: string; readonly file: number }
  | { readonly op: 'create'; readonly path: string; readonly file: number }
  | { readonly op: 'link'; readonly path: string; readonly file: number }
  | { readonly op: 'write'; readonly file: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly op: 'resize'; readonly file: number; readonly sizeBytes: number }
  | { readonly op: 'sync'; readonly file: number }
  | { readonly op: 'syncFolder'; readonly path: string }
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  | { readonly op: 'unlink'; readonly path: string }
  | { readonly op: 'mkdir'; readonly path: string }
  | { readonly op: 'rmdir'; readonly path: string }
  /** What the program had told to somebody by then. */
  | { readonly op: 'told'; readonly what: unknown };

export interface Journal {
  /** Whether anybody will ask for what was written. */
  readonly isKept: boolean;
  readonly entries: JournalEntry[];
  /** The number of a file that is opened; `isNew`: it was not there. */
  fileAt(path: string, isNew: boolean): number;
  add(entry: Exclude<JournalEntry, { op: 'found' | 'create' | 'link' }>): void;
  linked(from: string, to: string): void;
}

export function openJournal(isKept: boolean): Journal {
  const entries: JournalEntry[] = [];
  const files = new Map<string, number>();
  let nFiles = 0;
  const inside = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);
  function fileAt(path: string, isNew: boolean): number {
    const known = files.get(path);
    if (known !== undefined && !isNew) return known;
    const file = nFiles++;
    files.set(path, file);
    if (isKept) entries.push({ op: isNew ? 'create' : 'found', path, file });
    return file;
  }
  return {
    isKept,
    entries,
    fileAt,
    linked(from, to) {
      const file = fileAt(from, false);
      files.set(to, file);
      if (isKept) entries.push({ op: 'link', path: to, file });
    },
    add(entry) {
      if (isKept) entries.push(entry);
      if (entry.op === 'unlink') files.delete(entry.path);
      if (entry.op !== 'rename') return;
      for (const path of [...files.keys()]) if (inside(path, entry.to)) files.delete(path);
      for (const [path, file] of [...files])
        if (inside(path, entry.from)) {
          files.delete(path);
          files.set(entry.to + path.slice(entry.from.length), file);
        }
    },
  };
}
