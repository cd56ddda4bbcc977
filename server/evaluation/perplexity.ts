// Token perplexity over sequences: exp of the mean next-token loss.
import { meanAndError } from '../execution/sequenceStatistics';
import type { TokenSourceReport } from '../protocol/recipes';
import { perplexityOf } from '../shared/finite';
import { forward, type ForwardOptions } from '../execution/forward';
import type { Model } from '../execution/model';

export interface Perplexity {
  readonly lossNats: number;
  readonly lossStandardError: number | null;
  readonly lossPerSequence: number[];
  readonly perplexity: number;
  readonly nTokens: number;
  readonly definition: string;
}

/** Sequences all have the same length, so that the mean over sequences is the mean over predictions. */
export async function perplexity(
  model: Model,
  sequences: readonly Int32Array[],
  source: TokenSourceReport,
  options: ForwardOptions,
): Promise<Perplexity> {
  const losses = await forward(model, sequences, options);
  const { mean, standardError } = meanAndError(losses);
  return {
    lossNats: mean,
    lossStandardError: standardError,
    lossPerSequence: [...losses],
    perplexity: perplexityOf(mean),
    nTokens: sequences.length * sequences[0]!.length,
    definition: definition(source),
  };
}

function definition({ nSequences, tokensPerSequence: T, bos, sampling }: TokenSourceReport): string {
  const stride = bos === 'each' ? T - 1 : T; // the bos is one of the T tokens
  const cut = sampling === 'random' ? 'drawn at random' : `consecutive, stride ${stride}`;
  const start = { none: 'no bos', each: 'bos before each', tokenizer: "the tokenizer's own special tokens" }[bos];
  return `token perplexity, ${nSequences} sequences of ${T} tokens, ${cut}, ${start}, ${T - 1} predictions a sequence`;
}
