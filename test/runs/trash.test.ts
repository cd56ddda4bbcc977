// What becomes of deleted runs, on a clock of our own.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openRunStore } from '../../server/runs/store';
import type { RunRecord } from '../../server/runs/storedRun';
import { openTrash } from '../../server/runs/trash';

const root = mkdtempSync(join(tmpdir(), 'trash-'));
afterAll(() => rmSync(root, { recursive: true }));

const dayMs = 24 * 3_600_000;
let nFolders = 0;
function place() {
  const data = join(root, String(nFolders++));
  const make = (name: string, content: string) => {
    const folder = join(data, 'runs', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'report.json'), content);
    return folder;
  };
  return { data, make, lies: () => readdirSync(join(data, 'trash')).sort() };
}

describe('the trash', () => {
  it('holds what was deleted, as it was', () => {
    const { data, make, lies } = place();
    const folder = make('a', 'content');
    openTrash(data).take(folder, 'a');
    expect(existsSync(folder)).toBe(false);
    expect(lies()).toEqual(['a']);
    expect(readFileSync(join(data, 'trash/a/report.json'), 'utf8')).toBe('content');
  });

  it('holds it for seven days from its deletion, however old the run is', () => {
    const { data, make, lies } = place();
    let now = Date.now();
    const clock = () => now;
    const trash = openTrash(data, clock);
    now += 100 * dayMs;
    trash.take(make('a', ''), 'a');
    now += 2 * dayMs;
    trash.take(make('b', ''), 'b');
    now += 4.9 * dayMs;
    openTrash(data, clock);
    expect(lies()).toEqual(['a', 'b']);
    now += 0.2 * dayMs;
    openTrash(data, clock);
    expect(lies()).toEqual(['b']);
    now += 2 * dayMs;
    openTrash(data, clock);
    expect(lies()).toEqual([]);
  });

  it('holds the newest of two runs that had one id', () => {
    const { data, make, lies } = place();
    const trash = openTrash(data);
    trash.take(make('a', 'first'), 'a');
    trash.take(make('a', 'second'), 'a');
    expect(lies()).toEqual(['a']);
    expect(readFileSync(join(data, 'trash/a/report.json'), 'utf8')).toBe('second');
  });

  it('gives back a run that is moved back', () => {
    const { data } = place();
    const record: RunRecord = {
      title: 'Inspect a',
      model: '/a',
      roots: [],
      createdAtEpochMs: 1,
      startedAtEpochMs: 2,
      endedAtEpochMs: 3,
      lastSeq: 0,
      state: { state: 'done' },
    };
    const stored = { runId: 'a', recipe: { kind: 'inspect', model: '/a' }, record } as const;
    const store = openRunStore(data);
    store.create(stored);
    const sizeBytes = readdirSync(join(data, 'runs/a')).reduce(
      (sum, name) => sum + readFileSync(join(data, 'runs/a', name)).length,
      0,
    );
    expect(store.remove('a')).toBe(sizeBytes);
    expect(store.list()).toEqual([]);
    renameSync(join(data, 'trash/a'), join(data, 'runs/a'));
    expect(openRunStore(data).list()).toEqual([{ kind: 'whole', stored }]);
  });
});
