// Packed, with shared prefixes and shared blocks, requests have the scores that each has alone.
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Path, pathWithout } from '../../server/model/path';
import { checkDropSet } from '../../server/shared/dropSets';
import type { MemoryPlan } from '../../server/execution/memoryPlan';
import type { Model } from '../../server/execution/model';
import { packRequests, type PackingOptions } from '../../server/execution/packing';
import type { TokenRequest } from '../../server/execution/tokenTree';
import { isUserError } from '../../server/errors';
import { type PathScores, type Scores, scoreRequests } from '../../server/execution/scoring';
import { measurePaths } from '../../server/execution/variants';
import { long, modelFolder, repoRoot } from '../fixtures';
import { deviceOfFile, withModelOn } from './setting';

const device = deviceOfFile(2);
afterEach(() => device().forgetPrograms());

const withModel = <T>(folder: string, mode: MemoryPlan['mode'], body: (model: Model) => Promise<T>) =>
  withModelOn(device(), { folder, nSequences: 1, tokensPerSequence: 64, plan: { mode, headSliceRows: 200 } }, body);

/** Every request by itself, through the blocks of plain sequences. */
async function scoreAlone(model: Model, requests: readonly TokenRequest[], path: Path): Promise<number[]> {
  const scores: number[] = [];
  for (const { context, continuation } of requests) {
    const sequence = Int32Array.from([...context, ...continuation]);
    const [nats] = await measurePaths(model, [sequence], [path], {});
    scores.push(-nats!.slice(-continuation.length).reduce((sum, x) => sum + x, 0));
  }
  return scores;
}

const ids = (count: number, seed: number) => Array.from({ length: count }, (_, i) => (i * i * 7 + seed * 31 + i) % 59);

/** Questions with choices behind a common beginning, single ones, equal ones, and one longer than every row. */
const requests: TokenRequest[] = [
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((q) =>
    [1, 2, 3].map((choice) => ({
      context: [...ids(70, 1), ...ids(6, q)],
      continuation: ids(1 + choice, 9 * choice + q),
    })),
  ),
  ...[1, 2, 3, 4].map((choice) => ({ context: [...ids(70, 1), ...ids(9, 8)], continuation: [choice] })),
  ...[1, 2, 3].flatMap((q) => [1, 2].map((choice) => ({ context: ids(5, q), continuation: ids(4, q + 2 * choice) }))),
  { context: [1], continuation: ids(200, 4) },
  { context: ids(3, 4), continuation: [7] },
  { context: ids(3, 4), continuation: [7] },
];

const packings: [string, PackingOptions][] = [
  ['roomy rows', { rowTokens: [256, 512], largestRowTokens: 1024, batchTokens: 1024 }],
  ['narrow rows, prefixes of several pieces', { rowTokens: [32], largestRowTokens: 64, batchTokens: 64 }],
];
/** Bytes of a group of bundles: one by one, some together, all at once. */
const groups = [1, 100_000, 1e9];
const models: [string, string][] = [
  ['stories260k', modelFolder('stories260k')],
  ['mistral-window, whose window is far shorter', `${repoRoot}/test/fixtures/families/mistral-window`],
  ...['qwen3', 'gemma2', 'gemma3', 'phi3', 'olmo2', 'granite'].map((family): [string, string] => [
    family,
    `${repoRoot}/test/fixtures/families/${family}`,
  ]),
  ...(long ? [['SmolLM2', modelFolder('smollm2-135m')] as [string, string]] : []),
];

/** 1e-4 nats, and of sums of thousands of nats what f32 makes of another order. */
const tolerance = (logLikelihood: number) => 1e-4 + 1e-6 * Math.abs(logLikelihood);

describe.each(models)('%s', (name, folder) => {
  let alone: number[];
  beforeAll(async () => {
    alone = await withModel(folder, 'resident', (model) => scoreAlone(model, requests, pathWithout(model.config)));
  }, 300_000);
  it.each(packings)(
    '%s',
    async (_, options) => {
      await withModel(folder, 'resident', async (model) => {
        const batches = packRequests(requests, options);
        // How batches are grouped is no matter of the family.
        for (const groupBytes of long || name === 'stories260k' ? groups : groups.slice(1, 2)) {
          const [scores] = await scoreRequests(model, batches, requests.length, [pathWithout(model.config)], {
            groupBytes,
          });
          for (const [i, logLikelihood] of finite(scores).logLikelihoods.entries())
            expect(Math.abs(logLikelihood - alone[i]!), `request ${i}`).toBeLessThan(tolerance(alone[i]!));
        }
      });
      expect(device().alive().length).toBe(0);
    },
    300_000,
  );
});

function finite(scores: PathScores | undefined): Scores {
  if (!scores || isUserError(scores)) throw scores;
  return scores;
}

describe('variants of stories260k', () => {
  const drops = [
    { blocks: [], attention: [], mlp: [] },
    { blocks: [2], attention: [], mlp: [] },
    { blocks: [2, 3], attention: [], mlp: [] },
    { blocks: [], attention: [1, 4], mlp: [3] },
    { blocks: [0, 4], attention: [], mlp: [] },
  ];
  it.each(['resident', 'streaming'] as const)('have the scores that each has alone: %s', async (mode) => {
    await withModel(modelFolder('stories260k'), mode, async (model) => {
      const paths = drops.map((drop) => pathWithout(model.config, checkDropSet(drop, 5)));
      const batches = packRequests(requests, packings[1]![1]);
      const seen: number[] = [];
      const options = { groupBytes: 300_000, onProgress: (fraction: number) => void seen.push(fraction) };
      const together = await scoreRequests(model, batches, requests.length, paths, options);
      for (const [p, path] of paths.entries()) {
        const alone = await scoreAlone(model, requests, path);
        for (const [i, logLikelihood] of finite(together[p]).logLikelihoods.entries())
          expect(Math.abs(logLikelihood - alone[i]!), `path ${p}, request ${i}`).toBeLessThan(1e-4);
      }
      expect(seen.at(-1)).toBeCloseTo(1, 6);
      expect(seen.every((fraction, i) => i === 0 || fraction >= seen[i - 1]!)).toBe(true);
    });
    expect(device().alive().length).toBe(0);
  });

  it('end when they are told to, and leave nothing behind', async () => {
    await withModel(modelFolder('stories260k'), 'resident', async (model) => {
      const controller = new AbortController();
      const batches = packRequests(requests, packings[1]![1]);
      const options = {
        groupBytes: 300_000,
        signal: controller.signal,
        onProgress: (fraction: number) => void (fraction > 0.4 && controller.abort()),
      };
      const ended = scoreRequests(model, batches, requests.length, [pathWithout(model.config)], options);
      await expect(ended).rejects.toSatisfy((error) => isUserError(error) && error.code === 'cancelled');
    });
    expect(device().alive().length).toBe(0);
  });
});
