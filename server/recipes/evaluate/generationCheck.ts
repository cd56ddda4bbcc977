// Lets models write by themselves, to see whether they have come to repeat themselves.
import { endIdsOf } from '../../checkpoint/generationConfig';
import { isUserError, type UserError } from '../../errors';
import { checkPrompts, checkTokens, repetitionOf } from '../../evaluation/repetition';
import type { GenerationCheck } from './recipe';
import type { Tokenizer } from '../../tokenizer/tokenizer';
import { generate } from '../../execution/decode';
import type { Model } from '../../execution/model';
import type { Path } from '../../model/path';
import type { Family } from './models';
import { progress, type Run } from '../recipeContext';

/** By model: what it wrote, or why its words are not finite. */
export interface Written {
  readonly model: number;
  readonly checks: readonly GenerationCheck[] | UserError;
}

export async function checkGeneration(
  model: Model,
  tokenizer: Tokenizer,
  members: Family['members'],
  run: Run,
): Promise<Written[]> {
  const endIds = await endIdsOf(model.checkpoint, tokenizer.eosTokenId);
  const onProgress = progress(run, `${model.checkpoint.name}: write`);
  const written: Written[] = [];
  for (const { model: index, path } of members) {
    const checks: GenerationCheck[] = [];
    try {
      for (const prompt of checkPrompts) {
        checks.push({ model: index, prompt, ...(await continued(prompt, path)) });
        onProgress((written.length + checks.length / checkPrompts.length) / members.length);
      }
      written.push({ model: index, checks });
    } catch (error) {
      if (!isUserError(error) || error.code !== 'notFinite') throw error;
      written.push({ model: index, checks: error });
    }
  }
  return written;

  async function continued(prompt: string, path: Path) {
    const before = await tokenizer.encode(prompt, { addSpecialTokens: true });
    const maxTokens = Math.max(1, Math.min(checkTokens, model.config.contextLength - before.length));
    const ids = await generate(model, before, { path, maxTokens, endIds, signal: run.signal });
    const text = await tokenizer.decode([...before, ...ids], { skipSpecialTokens: true });
    const added = text.startsWith(prompt)
      ? text.slice(prompt.length)
      : await tokenizer.decode(ids, { skipSpecialTokens: true });
    return { text: added, nTokens: ids.length, ...repetitionOf(ids) };
  }
}
