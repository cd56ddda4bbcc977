// Every prompt, token count and metric beside those of lm-evaluation-harness. The checkout carries some of its documents;
// where the whole reference data lie, all of it is compared, read from the forms in which the data sets lie there.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeRequest } from '../../server/evaluation/encode';
import { type ItemValues, itemValues, scoreOf } from '../../server/evaluation/metrics';
import { loadTask, resolveTasks } from '../../server/evaluation/tasks';
import type { Item, LoadedTask, TextRequest } from '../../server/evaluation/tasks/task';
import type { MetricName } from '../../server/shared/metrics';
import { openTokenizer, type Tokenizer } from '../../server/tokenizer/tokenizer';
import { available, dataFolder, modelFolder } from '../fixtures';
import { fixtures, type GoldenRequest, type GoldenTask, readGolden, sha256, storiesTokenizerWithBos } from './golden';

const smollm2 = modelFolder('smollm2-135m');
const stories = modelFolder('stories260k');
const tokenizers: Record<string, () => Promise<Tokenizer>> = {
  [smollm2]: once(() => openTokenizer(smollm2)),
  [stories]: once(storiesTokenizerWithBos),
};
const here = { folder: fixtures, data: join(fixtures, 'data') };
const whole = { folder: join(dataFolder, 'reference'), data: join(dataFolder, 'data') };

/** Stands for the tasks of a file that is not there, so that they are counted as skipped. */
const missing: GoldenTask = { task: 'a task', nFewShot: 0, results: {}, items: [] };

const references = [
  { name: 'lm-eval-smollm2.json', of: 'the checkout', ...here, model: smollm2 },
  { name: 'lm-eval-stories260k-bos.json', of: 'the checkout', ...here, model: stories },
  { name: 'lm-eval-smollm2.json', of: 'the reference data', ...whole, model: smollm2 },
  { name: 'lm-eval-smollm2-drop12-16.json', of: 'the reference data', ...whole, model: smollm2 },
  { name: 'lm-eval-stories260k-bos.json', of: 'the reference data', ...whole, model: stories },
].map((row) => ({
  ...row,
  golden: available(join(row.folder, row.name)) ? readGolden(join(row.folder, row.name)) : null,
}));

describe.each(references)('$name of $of', ({ data, model, golden }) => {
  describe.skipIf(!golden).each(golden?.tasks ?? [missing])('$task, $nFewShot examples', (task) => {
    let loaded: LoadedTask;
    beforeAll(async () => {
      loaded = await itemsOf(task, data);
    });

    it('has the same prompts', () => {
      const texts = loaded.items.map(({ requests }) =>
        requests.map((request) =>
          request.kind === 'rolling' ? ['', request.text] : [request.context, request.continuation],
        ),
      );
      const ours = texts.map((item, i) =>
        item.map(([context, continuation], j) => cutTo(task.items[i]!.requests[j]!, context!, continuation!)),
      );
      const theirs = task.items.map(({ requests }) =>
        requests.map(({ contextSha256, continuationSha256 }) => ({ contextSha256, continuationSha256 })),
      );
      expect(ours).toEqual(theirs);
    });

    it('has the same answers', () => {
      expect(loaded.items.map(targetOf)).toEqual(
        task.items.map(({ target }, i) => (loaded.items[i]!.text ? null : (target ?? targetOf(loaded.items[i]!)))),
      );
    });

    const metrics = Object.keys(task.results).filter((key) => key.endsWith(',none') && !key.includes('_stderr'));
    it.each(metrics.map((key) => key.split(',')[0] as MetricName))('has the same %s and error', (metric) => {
      const answers = task.items.map(({ requests }) => requests);
      const values = itemValues(metric, loaded.items, answers);
      const { value, stderr } = scoreOf(values);
      const natsPerUnit = metric.startsWith('acc') ? 0 : natsPerUnitOf(values);
      expectNear(value, task.results[`${metric},none`], natsPerUnit);
      expectNear(stderr, task.results[`${metric}_stderr,none`], natsPerUnit);
      const theirs = task.items.map((item) => item.values[metric]);
      if (theirs.every((it) => it !== undefined)) expect(values.values).toEqual(theirs);
    });
  });

  describe.skipIf(!golden || !available(model)).each(golden?.tasks ?? [missing])(
    '$task, $nFewShot examples',
    (task) => {
      it('has as many tokens', async () => {
        const tokenizer = await tokenizers[model]!();
        const { items } = await itemsOf(task, data);
        const unlimited = Number.POSITIVE_INFINITY;
        const countsOf = async (request: TextRequest) => {
          const [tokens] = await encodeRequest(tokenizer, request, unlimited);
          const nContextTokens = request.kind === 'rolling' ? 0 : tokens!.context.length;
          return { nContextTokens, nContinuationTokens: tokens!.continuation.length };
        };
        const ours = await Promise.all(items.map(({ requests }) => Promise.all(requests.map(countsOf))));
        const theirs = task.items.map(({ requests }) =>
          requests.map(({ nContextTokens, nContinuationTokens }) => ({ nContextTokens, nContinuationTokens })),
        );
        expect(ours).toEqual(theirs);
      });
    },
  );
});

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

async function itemsOf({ task, nFewShot, items }: GoldenTask, data: string): Promise<LoadedTask> {
  const range = { first: items[0]!.docId, end: items.at(-1)!.docId + 1 };
  return loadTask(resolveTasks([task]).tasks[0]!, { data, items: range, fewShot: nFewShot });
}

/** As many digits as the reference has. */
function cutTo({ contextSha256, continuationSha256 }: GoldenRequest, context: string, continuation: string) {
  return {
    contextSha256: sha256(context).slice(0, contextSha256.length),
    continuationSha256: sha256(continuation).slice(0, continuationSha256.length),
  };
}

/** As the harness names it: an index, or the text that is wanted. */
function targetOf({ gold, requests, text }: Item): number | string | null {
  const [first, second] = requests;
  if (text || first?.kind !== 'continuation') return null;
  if (gold === null) return first.continuation;
  return second?.kind === 'continuation' && first.context !== second.context ? first.continuation.slice(1) : gold;
}

/** The reference has seven digits, of its metrics as of the log-likelihoods that an exponential may be taken of. */
function expectNear(ours: number | null, theirs: number | string | undefined, natsPerUnit: number): void {
  if (theirs === 'N/A') expect(ours).toBeNull();
  else {
    expect(typeof theirs).toBe('number');
    const expected = Number(theirs);
    expect(Math.abs(ours! - expected)).toBeLessThanOrEqual(5.001e-7 * Math.abs(expected) * (1 + natsPerUnit));
  }
}

/** The most that a unit of an item has. */
const natsPerUnitOf = ({ values, weights }: ItemValues): number =>
  Math.max(...values.map((value, i) => Math.abs(value) / (weights?.[i] ?? 1)));
