// What becomes of runs when an effect of their life fails, with engines that do what they are told here.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Engine, OngoingEvent } from '../../server/engineClient/engine';
import type { EngineRequest, Outcome } from '../../server/protocol/engine';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import type { Recipe } from '../../server/recipes/kinds';
import { openRuns, type Runs } from '../../server/runs/runs';
import { analyzeRecipe } from '../rpc/client';

interface FakeEngine extends Engine {
  readonly recipe: Recipe;
  readonly sent: EngineRequest[];
  readonly graceMs: number[];
  emit(event: OngoingEvent): void;
  report(outcome: Outcome): void;
  exit(): void;
}

const started = vi.hoisted(() => ({ engines: [] as FakeEngine[], fails: false }));

vi.mock('../../server/engineClient/engine', () => ({
  engineExists: () => true,
  startEngine(recipe: Recipe, onEvent: (event: OngoingEvent) => void): FakeEngine {
    if (started.fails) throw new Error('no more processes');
    let report: FakeEngine['report'] = () => {};
    let end = () => {};
    const outcome = new Promise<Outcome>((resolve) => {
      report = resolve;
    });
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const graceMs: number[] = [];
    const sent: EngineRequest[] = [];
    const engine: FakeEngine = {
      pid: 1,
      recipe,
      sent,
      graceMs,
      send: (request) => void sent.push(request),
      cancel: (ms) => void graceMs.push(ms),
      outcome,
      ended,
      emit: onEvent,
      report,
      exit() {
        report({ kind: 'failed', code: 'internal', message: 'It ended.' });
        end();
      },
    };
    started.engines.push(engine);
    return engine;
  },
}));

const root = mkdtempSync(join(tmpdir(), 'effects-'));
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => {
  started.engines.length = 0;
  started.fails = false;
});

let nFolders = 0;
function open(): { runs: Runs; data: string; nIdle: () => number; logged: readonly string[] } {
  const data = join(root, String(nFolders++));
  mkdirSync(data);
  let nIdle = 0;
  const logged: string[] = [];
  const runs = openRuns(data, { onIdle: () => void nIdle++, log: (text) => void logged.push(text) }, async () => 'cpu');
  return { runs, data, nIdle: () => nIdle, logged };
}
const report = { kind: 'analyze' } as AnalyzeReport;
const done: Outcome = { kind: 'done', report };
/** Promises that are settled have been heard of. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const start = async (runs: Runs, runId: string, recipe: Recipe = analyzeRecipe()) => {
  runs.start(runId, recipe, []);
  await settled();
};
const stateOf = (runs: Runs, runId: string) => runs.get(runId).run;
const onDisk = (data: string, runId: string) =>
  JSON.parse(readFileSync(join(data, 'runs', runId, 'state.json'), 'utf8')).state.state;
/** Nothing can be written to such a file any more. */
function block(data: string, runId: string, file: string): void {
  rmSync(join(data, 'runs', runId, file), { force: true });
  mkdirSync(join(data, 'runs', runId, file, 'x'), { recursive: true });
}

describe('a run', () => {
  it('whose events cannot be written fails, ends its engine, and the next one has the device', async () => {
    const { runs, data, nIdle } = open();
    await start(runs, 'a');
    await start(runs, 'b');
    const [engine] = started.engines;
    expect(started.engines).toHaveLength(1);
    block(data, 'a', 'events.jsonl');
    engine!.emit({ kind: 'progress', step: 'write', fraction: 0.5 });
    expect(engine!.graceMs).toEqual([2000]);
    // A report that comes now would be of a run whose events are lost.
    engine!.report(done);
    await settled();
    expect(stateOf(runs, 'a').state).toBe('running');
    engine!.exit();
    await settled();
    expect(stateOf(runs, 'a')).toMatchObject({
      state: 'failed',
      code: 'cannotWrite',
      message: expect.stringMatching(/^The run cannot be kept on disk \(EISDIR at .*events\.jsonl\): it is a folder/),
    });
    expect(runs.get('a').report).toBeNull();
    expect(started.engines).toHaveLength(2);
    expect(nIdle()).toBe(0);
    started.engines[1]!.report(done);
    await settled();
    started.engines[1]!.exit();
    await settled();
    expect(onDisk(data, 'b')).toBe('done');
    expect(nIdle()).toBe(1);
  });

  it('whose report cannot be written has failed, also on disk', async () => {
    const { runs, data } = open();
    await start(runs, 'a');
    block(data, 'a', 'report.json');
    started.engines[0]!.report(done);
    await settled();
    started.engines[0]!.exit();
    await settled();
    expect(stateOf(runs, 'a')).toMatchObject({ state: 'failed', code: 'cannotWrite' });
    expect(onDisk(data, 'a')).toBe('failed');
  });

  it('that failed by a defect leaves its stack in the log, and its sentence in its state', async () => {
    const { runs, logged } = open();
    runs.start('a', { kind: 'inspect', model: '/m' }, []);
    await settled();
    const outcome = {
      kind: 'failed',
      code: 'internal',
      message: 'x is undefined',
      stack: 'TypeError: x\n    at f',
    } as const;
    started.engines[0]!.report(outcome);
    await settled();
    started.engines[0]!.exit();
    await settled();
    expect(stateOf(runs, 'a')).toMatchObject({ state: 'failed', code: 'internal', message: 'x is undefined' });
    expect(logged).toEqual(['run a failed: TypeError: x\n    at f']);
  });

  it('whose engine does not start has failed by a defect', async () => {
    const { runs, nIdle } = open();
    started.fails = true;
    await start(runs, 'a');
    await settled();
    expect(stateOf(runs, 'a')).toMatchObject({
      state: 'failed',
      code: 'internal',
      message: 'Error: no more processes',
    });
    expect(nIdle()).toBe(1);
  });

  it('is not changed by the engine of an earlier attempt, which was kept warm', async () => {
    const { runs, data } = open();
    await start(runs, 'a', analyzeRecipe({ stay: true }));
    block(data, 'a', 'report.json');
    const [warm] = started.engines;
    warm!.report(done);
    await settled();
    expect(stateOf(runs, 'a').state).toBe('failed');
    rmSync(join(data, 'runs/a/report.json'), { recursive: true });
    runs.resume('a');
    await settled();
    // The device is given to the next attempt when the warm engine is gone.
    expect(warm!.graceMs).toEqual([2000]);
    expect(started.engines).toHaveLength(1);
    warm!.exit();
    await settled();
    expect(started.engines).toHaveLength(2);
    expect(stateOf(runs, 'a').state).toBe('running');
    started.engines[1]!.report(done);
    await settled();
    expect(stateOf(runs, 'a').state).toBe('done');
    expect(runs.get('a').report).toEqual(report);
  });

  it('that is cancelled while its device is made free never starts', async () => {
    const { runs } = open();
    await start(runs, 'warm', analyzeRecipe({ stay: true }));
    started.engines[0]!.report(done);
    await settled();
    await start(runs, 'a');
    expect(stateOf(runs, 'a').state).toBe('queued');
    await runs.cancel('a');
    started.engines[0]!.exit();
    await settled();
    expect(stateOf(runs, 'a').state).toBe('cancelled');
    expect(started.engines).toHaveLength(1);
    runs.resume('a');
    await settled();
    expect(started.engines).toHaveLength(2);
  });
});

describe('the end of a server', () => {
  it('interrupts what runs and what waits, whatever engines still report, and starts nothing', async () => {
    const { runs, data } = open();
    await start(runs, 'a');
    await start(runs, 'b');
    const [engine] = started.engines;
    const ended = runs.end();
    expect(engine!.graceMs).toEqual([0]);
    engine!.report(done);
    engine!.exit();
    await ended;
    expect([onDisk(data, 'a'), onDisk(data, 'b')]).toEqual(['interrupted', 'interrupted']);
    runs.start('late', { kind: 'inspect', model: '/m' }, []);
    await settled();
    expect(started.engines).toHaveLength(1);
    // The next server finds it waiting, and says that it was interrupted.
    expect(
      openRuns(data, { onIdle() {}, log() {} }, async () => 'cpu')
        .list()
        .map(({ runId, state }) => [runId, state]),
    ).toEqual([
      ['a', 'interrupted'],
      ['b', 'interrupted'],
      ['late', 'interrupted'],
    ]);
  });
});
