// Plans of training: how many of the last blocks are one graph with the head, and what that takes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { noAdapters } from '../../server/model/blockInputs';
import { planTraining, type TrainingRequest } from '../../server/execution/trainingPlan';
import { blockGroup, groupSize } from '../../server/execution/weightStore';
import { readModelConfig } from '../../server/model/readConfig';
import { repoRoot } from '../fixtures';

const config = readModelConfig(
  JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/stories260k/config.json'), 'utf8')),
);
const request: TrainingRequest = {
  microBatchSequences: 4,
  tokensPerSequence: 256,
  accumulate: 1,
  nAdapterParameters: 10_000,
  adapters: noAdapters,
  activations: 'auto',
  dropout: 0,
  memory: 'auto',
  limitBytes: 1e12,
};
const plan = (change: Partial<TrainingRequest> = {}) => planTraining(config, { ...request, ...change });
const whole = plan();
const merged = 4 * groupSize(blockGroup(config, 0));
const withRoomFor = (blocks: number) => ({
  limitBytes: whole.totalBytes - (config.nBlocks - 1 - blocks) * merged,
});

describe('a segment', () => {
  it.each<[string, number, Partial<TrainingRequest>]>([
    ['has all blocks but the first where there is room', config.nBlocks - 1, {}],
    ['has as many as there is room for', 2, withRoomFor(2)],
    ['has one less than a byte too few allows', 1, { limitBytes: withRoomFor(2).limitBytes - 1 }],
    ['is left out where none fits', 0, withRoomFor(0)],
    ['is left out where insides are computed again', 0, { activations: 'recompute' }],
    ['is left out where weights are streamed', 0, { memory: 'streaming' }],
    ['is left out where inputs are dropped', 0, { dropout: 0.1 }],
    ['runs for seconds, not for minutes', 0, { microBatchSequences: 20_000 }],
  ])('%s', (_, segmentBlocks, change) => {
    const found = plan(change);
    expect(found.segmentBlocks).toBe(segmentBlocks);
    expect(found.totalBytes).toBeLessThanOrEqual(change.limitBytes ?? request.limitBytes);
    expect(Object.values(found.bytes).reduce((sum, n) => sum + n, 0)).toBe(found.totalBytes);
  });
});
