// generate: greedy text from a prompt, to see whether a model still speaks.
import { withStoredCheckpoint } from '../../execution/storedWeights';
import type { Checkpoint } from '../../checkpoint/checkpoint';
import { endIdsOf } from '../../checkpoint/generationConfig';
import { UserError } from '../../errors';
import type { GenerateRecipe, GenerateReport } from './recipe';
import { pathWithout } from '../../model/path';
import { checkDropSet } from '../../shared/dropSets';
import { openTokenizer, type Tokenizer } from '../../tokenizer/tokenizer';
import { generate, generateWithoutCache } from '../../execution/decode';
import { droppedFields, summarize } from '../modelSummary';
import { noTime, type Run, runFacts, timed, warnOfDifferences, withDevice, withModel } from '../recipeContext';

export const runGenerate = (recipe: GenerateRecipe, run: Run): Promise<GenerateReport> =>
  withStoredCheckpoint(recipe.model, recipe.compute.weights, (checkpoint) =>
    withDevice(recipe.compute, async (device) => {
      warnOfDifferences(checkpoint, run);
      const tokenizer = await openTokenizer(checkpoint.folder);
      const prompt = await promptIds(recipe, checkpoint, tokenizer);
      const { nBlocks } = checkpoint.config;
      const endIds = await endIdsOf(checkpoint, tokenizer.eosTokenId);
      const drop = checkDropSet(recipe.drop, nBlocks);
      const path = pathWithout(checkpoint.config, drop);
      const work = { nSequences: 1, tokensPerSequence: prompt.length + recipe.maxTokens, keepStates: false, path };
      return withModel(checkpoint, device, recipe.compute, work, run, async (model, { loadMs, held }) => {
        const shown = await incrementalText(tokenizer, prompt, (text) => run.emit({ kind: 'text', text }));
        const options = { path, maxTokens: recipe.maxTokens, endIds, signal: run.signal, onToken: shown.add };
        const decode = recipe.cache ? generate : generateWithoutCache;
        const { result: made, elapsedMs, compileMs } = await timed(device, () => decode(model, prompt, options));
        const tokens = prompt.length + made.length;
        const timing = { ...noTime, elapsedMs, compileMs, loadMs, tokens };
        return {
          kind: 'generate',
          model: summarize(checkpoint),
          ...droppedFields(drop),
          prompt: recipe.prompt,
          text: await shown.text(),
          nPromptTokens: prompt.length,
          nNewTokens: made.length,
          stoppedBy: made.length < recipe.maxTokens ? 'endOfText' : 'maxTokens',
          tokensPerSecond: made.length / (elapsedMs / 1000),
          ...runFacts(recipe.compute, device, held, timing),
        };
      });
    }),
  );

async function promptIds(
  { prompt, bos, maxTokens }: GenerateRecipe,
  { config, name }: Checkpoint,
  tokenizer: Tokenizer,
): Promise<number[]> {
  const bosTokenId = tokenizer.bosTokenId ?? config.bosTokenId;
  const ids = prompt === '' ? [] : await tokenizer.encode(prompt, { addSpecialTokens: bos === 'tokenizer' });
  const wantsBos = bos === 'each' || ids.length === 0;
  if (wantsBos && bosTokenId === null)
    throw new UserError(
      'badData',
      `${name} has no beginning-of-text token, so it cannot start from nothing; give it a --prompt.`,
    );
  if (wantsBos) ids.unshift(bosTokenId!);
  if (ids.length + maxTokens > config.contextLength)
    throw new UserError(
      'badData',
      `The prompt has ${ids.length} tokens and ${maxTokens} are to follow, but ${name} has a context of ${config.contextLength}; ask for fewer --max-tokens.`,
    );
  return ids;
}

/** Text as it grows. Ids are decoded together with those before, since a character may be spread over several. */
async function incrementalText(tokenizer: Tokenizer, prompt: readonly number[], show: (text: string) => void) {
  const decode = (ids: readonly number[]) => tokenizer.decode(ids, { skipSpecialTokens: true });
  const ids = [...prompt];
  const before = await decode(ids);
  let shown = before;
  return {
    async add(id: number) {
      ids.push(id);
      const text = await decode(ids);
      if (text.endsWith('\uFFFD') || text.length <= shown.length) return;
      show(text.slice(shown.length));
      shown = text;
    },
    text: async () => (await decode(ids)).slice(before.length),
  };
}
