// Token sequences for a model: its own tokenizer, its own limits.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { readTokenSequences, type TokenSequences } from '../data/tokenSequences';
import type { TokenSource } from '../protocol/recipes';
import { openTokenizer } from '../tokenizer/tokenizer';

export async function sequencesFor(
  checkpoint: Checkpoint,
  source: TokenSource,
): Promise<TokenSequences & { tokenizeMs: number }> {
  const began = performance.now();
  const tokenizer = source.kind === 'ids' ? null : await openTokenizer(checkpoint.folder);
  const { contextLength, vocabularySize } = checkpoint.config;
  const sequences = await readTokenSequences(source, tokenizer, { contextLength, vocabularySize });
  return { ...sequences, tokenizeMs: performance.now() - began };
}
