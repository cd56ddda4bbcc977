// Whether a folder expects what the run computed: the original on its path without the blocks that went. Both are asked for their
// likeliest tokens on one text.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { pathWithinBase } from '../checkpoint/withinBase';
import type { Expected } from '../execution/headLossGradient';
import { topTokens } from '../execution/topTokens';
import type { Path } from '../model/path';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { ProofCheck } from '../recipes/prove/recipe';
import { changesIn } from './changes';
import type { Computing } from './computing';
import { fixedIds } from './fixedText';
import { failed, notChecked, passed } from './proof';

const topK = 32;
/** Of a log-probability, in nats: the order of additions may be another. */
const toleranceNats = 1e-3;

export async function logitsCheck(
  checkpoint: Checkpoint,
  original: Checkpoint | null,
  tokenizer: Tokenizer,
  computing: Computing,
): Promise<ProofCheck> {
  if (original === null)
    return notChecked(
      'logits',
      'The original is not at hand; give --original FOLDER to compute it without the blocks.',
    );
  const changes = changesIn(checkpoint.provenance?.steps ?? []);
  if (changes.length > 0)
    return notChecked(
      'logits',
      `Its weights were changed (${changes.join(', ')}); a report of perplexity speaks for it.`,
    );
  const path = await pathWithinBase(original, checkpoint);
  if (path === null)
    return failed(
      'logits',
      `${checkpoint.name} is not ${original.name} without blocks, though nothing says that a weight was changed; prune again, or give its own original.`,
    );
  const ids = await fixedIds(checkpoint, tokenizer);
  const ofFolder = await expected(checkpoint, ids, undefined, computing);
  const ofRun = await expected(original, ids, path, computing);
  const difference = largestDifference(ofFolder, ofRun);
  const differ = difference === 0 ? 'do not differ' : `differ by ${difference.toExponential(1)} nats at most`;
  const words = `${ofFolder.logProbabilities.length} log-probabilities ${differ}`;
  return difference <= toleranceNats
    ? passed('logits', `On a fixed text ${words} from those of ${original.name} without the blocks.`)
    : failed('logits', `On a fixed text ${words} from those of ${original.name} without the blocks; prune again.`);
}

async function expected(
  checkpoint: Checkpoint,
  ids: Int32Array,
  path: Path | undefined,
  { withModel, signal }: Computing,
): Promise<Expected> {
  const onPath = path && { path };
  const work = { nSequences: 1, tokensPerSequence: ids.length, ...onPath };
  const options = { topK: Math.min(topK, checkpoint.config.vocabularySize), temperature: 1, signal, ...onPath };
  return withModel(checkpoint, work, async (model) => (await topTokens(model, [ids], options))[0]!);
}

/** Of tokens that are equally likely either may come first, so that the log-probabilities are compared, and the first token. */
export function largestDifference(one: Expected, other: Expected): number {
  let largest = 0;
  for (const [i, log] of one.logProbabilities.entries())
    largest = Math.max(largest, Math.abs(log - other.logProbabilities[i]!));
  for (let i = 0; i < one.ids.length; i += one.topK) {
    const [first, second] = [one.logProbabilities[i]!, one.logProbabilities[i + 1] ?? Number.NEGATIVE_INFINITY];
    if (one.ids[i] !== other.ids[i] && first - second > toleranceNats) return Number.POSITIVE_INFINITY;
  }
  return largest;
}
