// Models, blocks and runs in words.
import { describe, expect, it, vi } from 'vitest';
import {
  barLevel,
  blockRanges,
  dropCount,
  duration,
  freeName,
  modelDescription,
  runDescription,
  secondsLeft,
  signed,
  sizeOf,
} from '../../extension/trees/labels';
import type { ConnectionState, FoundModel, ModelSummary, RunState, RunSummary } from '../../server/protocol';

vi.mock('vscode', () => ({}));
const { statusText } = await import('../../extension/statusBar');

const run = (state: RunState, change: Partial<RunSummary> = {}): RunSummary =>
  ({
    runId: 'r',
    kind: 'prune',
    title: 'Prune stories',
    model: '/m',
    createdAtEpochMs: 0,
    startedAtEpochMs: 1000,
    endedAtEpochMs: null,
    lastSeq: 1,
    ...state,
    ...change,
  }) as RunSummary;

it.each([
  [0.05, 1],
  [0.1, 1],
  [0.63, 5],
  [1.66, 7],
  [4, 9],
  [14, 9],
  [-0.2, 1],
])('%d nats are level %i of nine', (costNats, level) => expect(barLevel({ costNats })).toBe(level));

it.each([
  [[13, 14, 15, 17, 26], '13–15, 17, 26'],
  [[0], '0'],
  [[3, 4], '3–4'],
  [[], ''],
])('%j are shown as "%s"', (blocks, text) => expect(blockRanges(blocks)).toBe(text));

it.each([
  [{ blocks: [1, 2], attention: [], mlp: [] }, '2 blocks'],
  [{ blocks: [1], attention: [4], mlp: [] }, '1 block and 1 half'],
  [{ blocks: [], attention: [4], mlp: [5] }, '2 halves'],
  [{ blocks: [], attention: [], mlp: [] }, 'nothing'],
])('%j are %s', (drop, text) => expect(dropCount(drop)).toBe(text));

it.each([
  [858_400, '858 kB'],
  [233_600_000, '233.6 MB'],
  [6_400_000_000, '6.40 GB'],
])('%d bytes are %s', (bytes, text) => expect(sizeOf(bytes)).toBe(text));

it.each([
  [0.1133, '+0.113'],
  [-0.02, '−0.020'],
])('%d nats are shown as %s', (nats, text) => expect(signed(nats)).toBe(text));

it.each([
  [12, '0:12'],
  [212, '3:32'],
  [3725, '1:02:05'],
])('%d seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));

describe('a model', () => {
  const summary = {
    nBlocks: 25,
    sizeBytes: 233.6e6,
    droppedSublayers: { attention: [], mlp: [] },
    prunedFrom: null,
  } as unknown as ModelSummary;
  const found = (change: Partial<ModelSummary>): FoundModel => ({
    summary: { ...summary, ...change },
    parentFolder: null,
    analysisRunId: null,
  });
  it.each<[Partial<ModelSummary>, string]>([
    [{}, '25 blocks, 233.6 MB'],
    [{ prunedFrom: { model: 'm', removedBlocks: [12, 13, 14] } }, '25 blocks, 233.6 MB, without 12–14'],
    [{ droppedSublayers: { attention: [3], mlp: [4] } }, '25 blocks, 233.6 MB, 2 halves less'],
  ])('%j is described as %s', (change, text) => expect(modelDescription(found(change))).toBe(text));

  it('gets the first free name', () => {
    expect(freeName('m', () => false)).toBe('m-pruned');
    expect(freeName('m', (name) => ['m-pruned', 'm-pruned-2'].includes(name))).toBe('m-pruned-3');
  });
});

describe('a run', () => {
  it.each<[RunSummary, string]>([
    [run({ state: 'queued' }), 'queued'],
    [run({ state: 'running', step: 'removals', fraction: 0.426 }), 'removals 42 %'],
    [run({ state: 'done' }, { endedAtEpochMs: 3500 }), 'done, 3 s'],
    [run({ state: 'done' }, { endedAtEpochMs: 213_000 }), 'done, 3:32'],
    [run({ state: 'failed', code: 'cannotFit', message: 'It needs 9 GB.' }), 'failed: It needs 9 GB.'],
    [run({ state: 'interrupted' }), 'interrupted'],
  ])('is described: %j', (it, text) => expect(runDescription(it)).toBe(text));

  it('says how long it still takes once it has done a little', () => {
    const half = run({ state: 'running', step: 's', fraction: 0.25 });
    expect(secondsLeft(half, 11_000)).toBeCloseTo(30, 6);
    expect(secondsLeft(run({ state: 'running', step: 's', fraction: 0.001 }), 11_000)).toBeNull();
    expect(secondsLeft(run({ state: 'queued' }), 11_000)).toBeNull();
  });
});

describe('the status bar', () => {
  const running = run({ state: 'running', step: 'removals', fraction: 0.5 });
  it.each<[string, ConnectionState, RunSummary[], string, string]>([
    ['idle', { state: 'connected' }, [], 'Espalier', 'quiet'],
    ['a run', { state: 'connected' }, [running], '$(sync~spin) Prune 50 % 0:10', 'quiet'],
    ['a prompt is no work', { state: 'connected' }, [{ ...running, kind: 'generate' }], 'Espalier', 'quiet'],
    [
      'reconnecting',
      { state: 'reconnecting', attempt: 2 },
      [running],
      '$(sync~spin) Espalier: reconnecting',
      'warning',
    ],
    ['down', { state: 'failed', message: 'No Node.' }, [], '$(error) Espalier', 'error'],
  ])('%s', (_, connection, runs, text, level) =>
    expect(statusText(connection, runs, 11_000)).toMatchObject({ text, level }),
  );
});
