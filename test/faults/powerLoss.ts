// What a file system may legally hold after the power was lost: of what was synced all, of the rest any part. A write that was not
// synced is there, is missing, or left zeros or some of its pages; a name that was made, moved or removed is so or not, unless
// its folder was synced later.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { JournalEntry } from './journal';

const pageBytes = 4096;

export interface Written {
  /** Up to the moment of the loss. */
  readonly entries: readonly JournalEntry[];
  /** All paths lie below it. */
  readonly folder: string;
  /** A copy of it as it was at the beginning, all of which is on the disk; null: it was empty. */
  readonly before: string | null;
}

/**
 * Makes such a state of `to`, whatever is there.
 * @param random [0, 1)
 */
export function writeAfterLoss({ entries, folder, before }: Written, to: string, random: () => number): void {
  const { tree, contents, numberOf } = beginning(before, folder);
  // With every change in it, which says what a path meant when the program named it.
  const seen = new Map(tree);
  entries.forEach((entry, i) => {
    if (entry.op === 'found') numberOf.learn(entry.file, seen.get(entry.path));
    if (!isNames(entry)) return;
    applyTo(seen, entry, numberOf);
    if (isSynced(entries, i, entry) || random() < 0.5) applyTo(tree, entry, numberOf);
  });
  fill(contents, entries, numberOf, random);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const [path, what] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const place = join(to, path.slice(folder.length));
    if (what === 'folder') mkdirSync(place, { recursive: true });
    else if (tree.get(dirname(path)) === 'folder') writeFileSync(place, contents.get(what) ?? '');
  }
}

type Tree = Map<string, number | 'folder'>;
type Numbers = ReturnType<typeof openNumbers>;

/** Files that were there have numbers below 0. The journal numbers them when they are first opened. */
function beginning(before: string | null, folder: string) {
  const tree: Tree = new Map([[folder, 'folder']]);
  const contents = new Map<number, Buffer>();
  const entries = before === null ? [] : readdirSync(before, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const place = join(entry.parentPath, entry.name);
    const path = folder + place.slice(before!.length);
    const number = -1 - contents.size;
    tree.set(path, entry.isDirectory() ? 'folder' : number);
    if (entry.isFile()) contents.set(number, readFileSync(place));
  }
  return { tree, contents, numberOf: openNumbers() };
}

function openNumbers() {
  const known = new Map<number, number>();
  return {
    learn(file: number, there: number | 'folder' | undefined): void {
      if (typeof there === 'number') known.set(file, there);
    },
    of: (file: number): number => known.get(file) ?? file,
  };
}

type Names = Extract<JournalEntry, { op: 'create' | 'link' | 'rename' | 'unlink' | 'mkdir' | 'rmdir' }>;
const isNames = (entry: JournalEntry): entry is Names =>
  ['create', 'link', 'rename', 'unlink', 'mkdir', 'rmdir'].includes(entry.op);

/** Whether the folder that holds the name was synced after it. */
function isSynced(entries: readonly JournalEntry[], at: number, entry: Names): boolean {
  const folder = dirname(entry.op === 'rename' ? entry.to : entry.path);
  return entries.slice(at).some((later) => later.op === 'syncFolder' && later.path === folder);
}

/** Names that cannot be made, since what they need did not come to the disk, are left out. */
function applyTo(tree: Tree, entry: Names, numberOf: Numbers): void {
  const below = (path: string) => [...tree.keys()].filter((each) => each === path || each.startsWith(`${path}/`));
  if (entry.op === 'rename') {
    if (!tree.has(entry.from)) return;
    const moved = below(entry.from).map((path) => [entry.to + path.slice(entry.from.length), tree.get(path)!] as const);
    for (const path of [...below(entry.from), ...below(entry.to)]) tree.delete(path);
    for (const [path, what] of moved) tree.set(path, what);
  } else if (entry.op === 'unlink' || entry.op === 'rmdir') {
    for (const path of below(entry.path)) tree.delete(path);
  } else if (tree.get(dirname(entry.path)) === 'folder')
    tree.set(entry.path, entry.op === 'mkdir' ? 'folder' : numberOf.of(entry.file));
}

/** Puts in what was written, as far as it came to the disk. */
function fill(
  contents: Map<number, Buffer>,
  entries: readonly JournalEntry[],
  numberOf: Numbers,
  random: () => number,
): void {
  const synced = new Map<number, number>();
  entries.forEach((entry, i) => {
    if (entry.op === 'sync') synced.set(numberOf.of(entry.file), i);
  });
  entries.forEach((entry, i) => {
    if (entry.op !== 'write' && entry.op !== 'resize') return;
    const file = numberOf.of(entry.file);
    const before = contents.get(file) ?? Buffer.alloc(0);
    const isSafe = i < (synced.get(file) ?? -1);
    contents.set(
      file,
      entry.op === 'write' ? written(before, entry, isSafe, random) : resized(before, entry, isSafe, random),
    );
  });
}

function written(
  before: Buffer,
  { offset, bytes }: Extract<JournalEntry, { op: 'write' }>,
  isSafe: boolean,
  random: () => number,
): Buffer {
  const fate = isSafe ? 'whole' : (['whole', 'missing', 'pages'] as const)[Math.floor(3 * random())]!;
  if (fate === 'missing') return before;
  const after = Buffer.alloc(Math.max(before.length, offset + bytes.length));
  before.copy(after);
  for (let at = 0; at < bytes.length; at += pageBytes)
    if (fate === 'whole' || random() < 0.5) after.set(bytes.subarray(at, at + pageBytes), offset + at);
  return after;
}

function resized(
  before: Buffer,
  { sizeBytes }: Extract<JournalEntry, { op: 'resize' }>,
  isSafe: boolean,
  random: () => number,
): Buffer {
  if (!isSafe && random() < 0.5) return before;
  const after = Buffer.alloc(sizeBytes);
  before.copy(after);
  return after;
}
