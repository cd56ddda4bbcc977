// Lets models write by themselves, to see whether they have come to repeat themselves.
import { endIdsOf } from '../../checkpoint/generationConfig';
import { checkPrompts, checkTokens, repetitionOf } from '../../evaluation/repetition';
import type { GenerationCheck } from './recipe';
import type { Tokenizer } from '../../tokenizer/tokenizer';
import { generate } from '../../execution/decode';
import type { Model } from '../../execution/model';
import type { Family } from './models';
import { progress, type Run } from '../recipeContext';

export async function checkGeneration(
  model: Model,
  tokenizer: Tokenizer,
  members: Family['members'],
  run: Run,
): Promise<GenerationCheck[]> {
  const { contextLength } = model.config;
  const endIds = await endIdsOf(model.checkpoint, tokenizer.eosTokenId);
  const onProgress = progress(run, `${model.checkpoint.name}: write`);
  const checks: GenerationCheck[] = [];
  for (const { model: index, path } of members) {
    for (const prompt of checkPrompts) {
      const before = await tokenizer.encode(prompt, { addSpecialTokens: true });
      const maxTokens = Math.max(1, Math.min(checkTokens, contextLength - before.length));
      const ids = await generate(model, before, { path, maxTokens, endIds, signal: run.signal });
      const text = await tokenizer.decode([...before, ...ids], { skipSpecialTokens: true });
      checks.push({
        model: index,
        prompt,
        text: text.startsWith(prompt)
          ? text.slice(prompt.length)
          : await tokenizer.decode(ids, { skipSpecialTokens: true }),
        nTokens: ids.length,
        ...repetitionOf(ids),
      });
      onProgress(checks.length / (members.length * checkPrompts.length));
    }
  }
  return checks;
}
