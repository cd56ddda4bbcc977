// Files of the data folder that were damaged: nothing is lost beyond the damaged line or file, all of it is said in one sentence,
// and a run neither vanishes nor takes its neighbour with it.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Engine, OngoingEvent } from '../../server/engineClient/engine';
import type { Outcome } from '../../server/protocol/engine';
import type { RunEvent } from '../../server/protocol/server';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import { openRuns } from '../../server/runs/runs';
import { type Damage, damageNames, damages } from '../damage';
import { analyzeRecipe } from '../rpc/client';

const engine = vi.hoisted(() => ({ emit: (_: unknown) => {}, report: (_: unknown) => {} }));
vi.mock('../../server/engineClient/engine', () => ({
  engineExists: () => true,
  startEngine(_: unknown, emit: (event: OngoingEvent) => void): Engine {
    const outcome = new Promise<Outcome>((resolve) => Object.assign(engine, { emit, report: resolve }));
    return { pid: 1, send() {}, cancel() {}, outcome, ended: outcome.then(() => {}) };
  },
}));

const root = mkdtempSync(join(tmpdir(), 'damaged-'));
afterAll(() => rmSync(root, { recursive: true }));

const [runId, neighbour] = ['0b7a6a70-6c46-4f5c-8f0f-000000000001', '0b7a6a70-6c46-4f5c-8f0f-000000000002'];
const report = { kind: 'analyze', model: { folder: '/m' } } as unknown as AnalyzeReport;
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Two runs that are done, with ten events each: queued, running, six warnings, reported, done. */
let original: { events: RunEvent[]; recipe: unknown };
beforeAll(async () => {
  const data = join(root, 'original');
  const runs = openRuns(data, { onIdle() {}, log() {} }, async () => 'cpu');
  for (const id of [runId, neighbour]) {
    runs.start(id, analyzeRecipe({ stay: false }), ['/r']);
    await settled();
    for (let i = 0; i < 6; i++) engine.emit({ kind: 'warning', text: `warning ${i}` });
    engine.report({ kind: 'done', report });
    await settled();
  }
  original = { events: runs.eventsAfter(runId, 0), recipe: runs.get(runId).recipe };
  expect(original.events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

let nCopies = 0;
/** A copy to which `harm` was done, and what the next server makes of it. */
function copied(harm: (folder: string) => void) {
  const data = join(root, String(nCopies++));
  cpSync(join(root, 'original'), data, { recursive: true });
  const folder = join(data, 'runs', runId);
  harm(folder);
  const logged: string[] = [];
  const open = () => openRuns(data, { onIdle() {}, log: (text) => void logged.push(text) }, async () => 'cpu');
  return { data, folder, runs: open(), open, logged };
}
const warningsIn = (events: readonly RunEvent[]) =>
  events.flatMap(({ seq, event }) => (event.kind === 'warning' && seq > 10 ? [event.text] : []));

interface Expected {
  /** The numbers of events that are lost. */
  lost?: number[];
  /** What is said in the log; none: nothing had to be. */
  said?: string;
  /** How the run is shown; default: done. */
  failed?: string;
}
const files = ['recipe.json', 'state.json', 'report.json', 'events.jsonl'] as const;
const oneTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

/** What is expected of a file that is damaged in a way that is not told apart from others. */
const byFile: Record<(typeof files)[number], Expected> = {
  'recipe.json': { said: 'recipe.json of this run is damaged; it was restored from state.json.' },
  'state.json': { said: 'state.json of this run is damaged; it was restored from its recipe and its log.' },
  'report.json': { failed: 'The report of this run is damaged; run it again.' },
  'events.jsonl': { lost: oneTo(10), said: 'The log of this run ends before event 1; lost: 1 to 10.' },
};
const ofTheLog: Partial<Record<Damage, Expected>> = {
  zeroed: { lost: oneTo(10), said: "A line of this run's log is damaged and left out; lost: 1 to 10." },
  half: { lost: [5, 6, 7, 8, 9, 10], said: "A line of this run's log is damaged and left out; lost: 5 to 10." },
  withoutItsLastBytes: { lost: [10], said: "A line of this run's log is damaged and left out; lost: 10." },
  flippedBit: { lost: [6], said: "A line of this run's log is damaged and left out; lost: 6." },
  garbageInTheMiddle: { lost: [5], said: "3 lines of this run's log are damaged and left out; lost: 5." },
  aLineTwice: { said: "A line of this run's log is damaged and left out; no event is lost." },
  withoutItsLineEnd: {},
};
const absent: Partial<Record<(typeof files)[number], Expected>> = {
  'recipe.json': { said: 'recipe.json of this run is missing; it was restored from state.json.' },
  'state.json': { said: 'state.json of this run is missing; it was restored from its recipe and its log.' },
  'report.json': { failed: 'The report of this run is missing; run it again.' },
};
function expectedOf(file: (typeof files)[number], damage: Damage): Expected {
  if (file === 'events.jsonl') return ofTheLog[damage] ?? byFile[file];
  if (damage === 'withoutItsLineEnd') return {};
  return damage === 'gone' ? absent[file]! : byFile[file];
}

const rows = files.flatMap((file) =>
  damageNames.map((damage) => ({ file, damage, expected: expectedOf(file, damage) })),
);

describe('a run of which one file is damaged', () => {
  it.each(rows)('$file, $damage', ({ file, damage, expected: { lost = [], said, failed } }) => {
    const { runs, open, folder } = copied((path) => damages[damage](join(path, file)));
    const found = runs.get(runId);
    const events = runs.eventsAfter(runId, 0);
    const texts = said ? [said] : [];
    const state = failed ? { state: 'failed', code: 'badData', message: failed } : { state: 'done' };
    expect(found).toMatchObject({ run: state, recipe: original.recipe, report: failed ? null : report });
    expect(events.filter(({ seq }) => seq <= 10)).toEqual(original.events.filter(({ seq }) => !lost.includes(seq)));
    expect(warningsIn(events)).toEqual(texts);
    expect(new Set(events.map(({ seq }) => seq)).size).toBe(events.length);
    expect(runs.lastSeq(runId)).toBe(events.at(-1)!.seq);
    expect(runs.get(neighbour)).toMatchObject({ run: { state: 'done', lastSeq: 10 }, report });

    // It is said once, and the next server finds what this one wrote; but for what nothing can be written in the place of.
    if (damage === 'aFolder') return;
    const again = open();
    expect(again.get(runId)).toMatchObject({ run: state });
    expect(warningsIn(again.eventsAfter(runId, 0))).toEqual(texts);
    expect(existsSync(join(folder, 'events.jsonl')) || lost.length === 0).toBe(true);
  });

  it.each(files)('%s, and is deleted', async (file) => {
    const { runs, data } = copied((path) => damages.aFolder(join(path, file)));
    runs.get(runId);
    await runs.remove(runId);
    expect(runs.list().map((run) => run.runId)).toEqual([neighbour]);
    expect(existsSync(join(data, 'trash', runId))).toBe(true);
  });

  it('the report, and is run again from its recipe', () => {
    const { runs } = copied((path) => damages.zeroed(join(path, 'report.json')));
    runs.get(runId);
    expect(runs.resume(runId)).toMatchObject({ state: 'queued' });
  });

  it('state.json, and is run again with the folders of who asks', () => {
    const { runs } = copied((path) => {
      damages.zeroed(join(path, 'state.json'));
      damages.zeroed(join(path, 'report.json'));
    });
    runs.get(runId);
    expect(runs.rootsOf(runId)).toEqual([]);
    runs.resume(runId, ['/mine']);
    expect(runs.rootsOf(runId)).toEqual(['/mine']);
  });
});

describe('a run that cannot be restored', () => {
  const both = (harm: (path: string) => void) => (folder: string) => {
    for (const file of ['recipe.json', 'state.json']) harm(join(folder, file));
  };
  const later = (file: string, change: (value: Record<string, unknown>) => object) => (folder: string) => {
    const { checksum: _, ...value } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    writeFileSync(join(folder, file), JSON.stringify(change(value)));
  };
  const unknown = 'says what this version does not know; was it written by a later one?';
  const lostRows = [
    { what: 'zeroed files', harm: both(damages.zeroed), why: 'recipe.json of this run is damaged.' },
    { what: 'no files', harm: both(damages.gone), why: 'recipe.json of this run is missing.' },
    {
      what: 'a kind of recipe of a later version',
      harm: later('recipe.json', () => ({ kind: 'dream', model: '/m' })),
      why: `recipe.json of this run ${unknown}`,
    },
    {
      what: 'a state of a later version',
      harm: later('state.json', (value) => ({ ...value, state: { state: 'archived' } })),
      why: `state.json of this run ${unknown}`,
    },
    {
      what: 'a file in the place of its folder',
      harm: (folder: string) => {
        rmSync(folder, { recursive: true });
        writeFileSync(folder, 'x');
      },
      why: 'recipe.json of this run is damaged.',
    },
  ];
  it.each(lostRows)('stays in the list, is not written to, and can be deleted: $what', async ({ harm, why }) => {
    const { runs, folder, logged, data } = copied(harm);
    const before = statSync(folder).mtimeMs;
    const message = `${why} It cannot be opened here, only deleted; its files are in ${folder}.`;
    expect(runs.list().find((run) => run.runId === runId)).toMatchObject({
      kind: 'unknown',
      state: 'failed',
      code: 'badData',
      message,
    });
    expect(logged).toEqual([`run ${runId}: ${message}`]);
    expect(() => runs.get(runId)).toThrow(message);
    expect(() => runs.resume(runId)).toThrow(message);
    expect(runs.get(neighbour).run.state).toBe('done');
    expect(statSync(folder).mtimeMs).toBe(before);
    await runs.remove(runId);
    expect(runs.list()).toHaveLength(1);
    expect(existsSync(join(data, 'trash', runId))).toBe(true);
  });
});

describe('what other versions wrote', () => {
  it('before lines had checksums is read', () => {
    const bare = (text: string) => text.replace(/,"checksum":"[0-9a-f]{16}"\}$/gm, '}');
    const { runs, folder } = copied((path) => {
      for (const file of files) writeFileSync(join(path, file), bare(readFileSync(join(path, file), 'utf8')));
    });
    expect(readFileSync(join(folder, 'events.jsonl'), 'utf8')).not.toContain('checksum');
    expect(runs.get(runId)).toMatchObject({ run: { state: 'done', lastSeq: 10 }, report, recipe: original.recipe });
    expect(runs.eventsAfter(runId, 0)).toEqual(original.events);
  });

  it('later is kept where a file is written again: fields of the state, kinds of events', async () => {
    const { sealed } = await import('../../server/checkpoint/sealed');
    const { runs, folder } = copied((path) => {
      const state = JSON.parse(readFileSync(join(path, 'state.json'), 'utf8'));
      const { checksum: _, ...fields } = state;
      writeFileSync(
        join(path, 'state.json'),
        sealed(JSON.stringify({ ...fields, state: { state: 'cancelled' }, mood: 'good' })),
      );
      const log = join(path, 'events.jsonl');
      const dream = sealed(
        JSON.stringify({ seq: 11, atEpochMs: 1, event: { kind: 'dream', of: { sheep: 3 } }, by: 'later' }),
      );
      writeFileSync(log, `${readFileSync(log, 'utf8')}${dream}\nrubbish\n`);
    });
    runs.resume(runId);
    await settled();
    expect(JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8'))).toMatchObject({ mood: 'good' });
    expect(readFileSync(join(folder, 'events.jsonl'), 'utf8')).toContain(
      '{"seq":11,"atEpochMs":1,"event":{"kind":"dream","of":{"sheep":3}},"by":"later","checksum":"',
    );
    expect(runs.eventsAfter(runId, 10).map(({ seq, event }) => `${seq} ${event.kind}`)).toEqual([
      '11 dream',
      '13 warning',
      '14 state',
      '15 state',
    ]);
  });
});
