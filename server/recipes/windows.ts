// Token windows for a model: its own tokenizer, its own limits.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { readTokenWindows, type TokenWindows } from '../data/tokenWindows';
import type { TokenSource } from '../protocol/recipes';
import { openTokenizer } from '../tokenizer/tokenizer';

export async function windowsFor(
  checkpoint: Checkpoint,
  source: TokenSource,
): Promise<TokenWindows & { tokenizeMs: number }> {
  const began = performance.now();
  const tokenizer = source.kind === 'ids' ? null : await openTokenizer(checkpoint.folder);
  const { contextLength, vocabularySize } = checkpoint.config;
  const windows = await readTokenWindows(source, tokenizer, { contextLength, vocabularySize });
  return { ...windows, tokenizeMs: performance.now() - began };
}
