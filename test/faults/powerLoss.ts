// What a file system may legally hold after the power was lost: of what was synced all, of the rest any part. A write that was not
// synced is there, is missing, or left zeros or some of its pages; a name that was made, moved or removed is so or not, unless
// its folder was synced later.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { JournalEntry } from './journal';

const pageBytes = 4096;

type Names = Extract<JournalEntry, { op: 'create' | 'link' | 'rename' | 'unlink' | 'mkdir' | 'rmdir' }>;
const isNames = (entry: JournalEntry): entry is Names =>
  ['create', 'link', 'rename', 'unlink', 'mkdir', 'rmdir'].includes(entry.op);

/**
 * Writes such a state into `to`.
 * @param entries up to the moment of the loss; all paths lie below `from`, which was empty at the beginning
 * @param random [0, 1)
 */
export function writeAfterLoss(entries: readonly JournalEntry[], from: string, to: string, random: () => number): void {
  const tree = new Map<string, number | 'folder'>([[from, 'folder']]);
  entries.forEach((entry, i) => {
    if (isNames(entry) && (isSynced(entries, i, entry) || random() < 0.5)) applyTo(tree, entry);
  });
  const contents = contentsAfter(entries, random);
  mkdirSync(to, { recursive: true });
  for (const [path, what] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const place = join(to, path.slice(from.length));
    if (what === 'folder') mkdirSync(place, { recursive: true });
    else if (tree.get(dirname(path)) === 'folder') writeFileSync(place, contents.get(what) ?? '');
  }
}

/** Whether the folder that holds the name was synced after it. */
function isSynced(entries: readonly JournalEntry[], at: number, entry: Names): boolean {
  const folder = dirname(entry.op === 'rename' ? entry.to : entry.path);
  return entries.slice(at).some((later) => later.op === 'syncFolder' && later.path === folder);
}

/** Names that cannot be made, since what they need did not come to the disk, are left out. */
function applyTo(tree: Map<string, number | 'folder'>, entry: Names): void {
  const below = (path: string) => [...tree.keys()].filter((each) => each === path || each.startsWith(`${path}/`));
  if (entry.op === 'rename') {
    if (!tree.has(entry.from)) return;
    const moved = below(entry.from).map((path) => [entry.to + path.slice(entry.from.length), tree.get(path)!] as const);
    for (const path of [...below(entry.from), ...below(entry.to)]) tree.delete(path);
    for (const [path, what] of moved) tree.set(path, what);
  } else if (entry.op === 'unlink' || entry.op === 'rmdir') {
    for (const path of below(entry.path)) tree.delete(path);
  } else if (tree.get(dirname(entry.path)) === 'folder')
    tree.set(entry.path, entry.op === 'mkdir' ? 'folder' : entry.file);
}

function contentsAfter(entries: readonly JournalEntry[], random: () => number): Map<number, Buffer> {
  const contents = new Map<number, Buffer>();
  const synced = new Map<number, number>();
  entries.forEach((entry, i) => {
    if (entry.op === 'sync') synced.set(entry.file, i);
  });
  entries.forEach((entry, i) => {
    if (entry.op !== 'write' && entry.op !== 'resize') return;
    const before = contents.get(entry.file) ?? Buffer.alloc(0);
    const isSafe = i < (synced.get(entry.file) ?? -1);
    contents.set(
      entry.file,
      entry.op === 'write' ? written(before, entry, isSafe, random) : resized(before, entry, isSafe, random),
    );
  });
  return contents;
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
