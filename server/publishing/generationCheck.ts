// Whether a model writes the same with the keys and values of the past kept as when every token is computed from the whole text.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { generate, generateWithoutCache } from '../execution/decode';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { ProofCheck } from '../recipes/prove/recipe';
import type { Computing } from './computing';
import { fixedIds } from './fixedText';
import { failed, passed } from './proof';

const nPrompt = 12;
const nNew = 16;

export async function generationCheck(
  checkpoint: Checkpoint,
  tokenizer: Tokenizer,
  { withModel, signal }: Computing,
): Promise<ProofCheck> {
  const prompt = [...(await fixedIds(checkpoint, tokenizer))].slice(0, nPrompt);
  const maxTokens = Math.min(nNew, checkpoint.config.contextLength - prompt.length);
  return withModel(checkpoint, { nSequences: 1, tokensPerSequence: prompt.length + maxTokens }, async (model) => {
    const options = { maxTokens, endIds: [], signal };
    const kept = await generate(model, prompt, options);
    const anew = await generateWithoutCache(model, prompt, options);
    const at = kept.findIndex((id, i) => id !== anew[i]);
    if (at === -1) return passed('generation', `${kept.length} tokens are the same either way.`);
    return failed(
      'generation',
      `Token ${at} is ${kept[at]} with kept keys and values and ${anew[at]} without; report this, since it is a defect of Espalier.`,
    );
  });
}
