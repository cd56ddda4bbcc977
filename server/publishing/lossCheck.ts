// Whether a folder has the loss that reports say it has, on the text that they name by its hash.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { readTokenSequences } from '../data/tokenSequences';
import { isUserError } from '../errors';
import { forward } from '../execution/forward';
import { meanAndError } from '../execution/sequenceStatistics';
import type { TokenSource, TokenSourceReport } from '../protocol/recipes';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { ProofCheck } from '../recipes/prove/recipe';
import type { Computing } from './computing';
import { fileWithHash } from './fileWithHash';
import { failed, notChecked, passed } from './proof';
import type { PromisedLoss } from './promisedLosses';

/** The device and the order of additions may be others. */
export const toleranceNats = 1e-3;

export async function lossCheck(
  checkpoint: Checkpoint,
  tokenizer: Tokenizer,
  { losses, texts }: { readonly losses: readonly PromisedLoss[]; readonly texts: readonly string[] },
  computing: Computing,
): Promise<ProofCheck> {
  if (losses.length === 0)
    return notChecked(
      'loss',
      'No report says what its loss is; give one of perplexity, prune or study with --report FILE.',
    );
  const found: string[] = [];
  for (const { lossNats, source } of losses) {
    const sequences = await sequencesOf(checkpoint, tokenizer, source, texts);
    if (sequences === null) continue;
    const work = { nSequences: sequences.length, tokensPerSequence: sequences[0]!.length };
    const own = await computing.withModel(checkpoint, work, (model) =>
      forward(model, sequences, { signal: computing.signal }),
    );
    const { mean } = meanAndError(own);
    const words = `${mean.toFixed(6)} nats on ${source.files.map(({ name }) => name).join(', ')}`;
    if (Math.abs(mean - lossNats) > toleranceNats)
      return failed('loss', `Its loss is ${words}, but the report says ${lossNats.toFixed(6)}; make it again.`);
    found.push(`${words}, and the report says ${lossNats.toFixed(6)}`);
  }
  if (found.length > 0) return passed('loss', `Its loss is ${found.join('; ')}.`);
  const names = [...new Set(losses.flatMap(({ source }) => source.files.map(({ name }) => name)))];
  return notChecked('loss', `The text of the report is not at hand (${names.join(', ')}); give it with --text FILE.`);
}

/** The sequences that a report is of, by their hash; null where the files are others or not there. */
async function sequencesOf(
  { config }: Checkpoint,
  tokenizer: Tokenizer,
  source: TokenSourceReport,
  texts: readonly string[],
): Promise<Int32Array[] | null> {
  const files: string[] = [];
  for (const { name, sha256 } of source.files) {
    const file = await fileWithHash(texts, name, sha256);
    if (file === null) return null;
    files.push(file);
  }
  const { nSequences: n, tokensPerSequence: tokens, start, bos, sampling, seed } = source;
  const asText: TokenSource = { kind: 'text', files, field: null, sequences: n, tokens, start, bos, sampling, seed };
  const asIds: TokenSource[] = files.length === 1 ? [{ kind: 'ids', file: files[0]!, sequences: n }] : [];
  for (const each of [asText, ...asIds]) {
    const read = await readTokenSequences(each, tokenizer, config).catch((error: unknown) => {
      if (isUserError(error)) return null;
      throw error;
    });
    if (read?.report.idsSha256 === source.idsSha256) return read.sequences;
  }
  return null;
}
