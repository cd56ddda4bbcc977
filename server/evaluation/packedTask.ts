// A task's items as requests in tokens, packed for a model, and the scores back as answers to the items.
import type { ModelConfig } from '../model/config';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { packingCost } from '../execution/packedCost';
import { type PrefixBatches, packRequests } from '../execution/packing';
import type { TokenRequest } from '../execution/tokenTree';
import type { Scores } from '../execution/scoring';
import { encodeRequest } from './encode';
import { joined } from './metrics';
import type { Item } from './tasks/task';
import type { Answer } from '../shared/metrics';

export interface PackedTask {
  readonly bundles: readonly PrefixBatches[];
  readonly nRequests: number;
  /** Tokens that the requests have one by one. */
  readonly nPlainTokens: number;
  /** By item and request: its token requests [first, end); a text longer than an input is several. */
  readonly places: readonly (readonly { readonly first: number; readonly end: number }[])[];
}

/** Rows of these lengths are tried. Longer trees get a row of their own, longer still a prefix batch of their own. */
const rowTokens = [192, 256, 384, 512];
const largestRowTokens = 1024;
/** As everywhere: activations of about a thousand tokens stay in cache. */
export const batchTokens = 1024;

/** @throws UserError for text that the tokenizer, or an input of `maxTokens`, does not take */
export async function packTask(
  items: readonly Item[],
  tokenizer: Tokenizer,
  config: ModelConfig,
  maxTokens: number,
): Promise<PackedTask> {
  const requests: TokenRequest[] = [];
  const places: { first: number; end: number }[][] = [];
  for (const item of items) {
    const ofItem: { first: number; end: number }[] = [];
    for (const request of item.requests) {
      const first = requests.length;
      requests.push(...(await encodeRequest(tokenizer, request, maxTokens)));
      ofItem.push({ first, end: requests.length });
    }
    places.push(ofItem);
  }
  const costOf = (batch: number, tokens: number, nPast: number) => packingCost(config, batch, tokens, nPast);
  return {
    bundles: packRequests(requests, { rowTokens, largestRowTokens, batchTokens, costOf }),
    nRequests: requests.length,
    nPlainTokens: requests.reduce((n, { context, continuation }) => n + context.length + continuation.length - 1, 0),
    places,
  };
}

/** By item and request. */
export const answersOf = ({ places }: PackedTask, { logLikelihoods, isGreedy }: Scores): Answer[][] =>
  places.map((ofItem) =>
    ofItem.map(({ first, end }) =>
      joined(
        Array.from({ length: end - first }, (_, i) => ({
          logLikelihood: logLikelihoods[first + i]!,
          isGreedy: isGreedy[first + i] === 1,
        })),
      ),
    ),
  );
