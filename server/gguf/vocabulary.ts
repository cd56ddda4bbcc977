// The tokens of a model in a GGUF file: a byte-level BPE by the name of its pre-tokenizer, or a vocabulary of SentencePiece
// with scores, as llama.cpp's converter writes them (conversion/base.py and the files of the families).
import { join } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { isFile } from '../checkpoint/folder';
import { UserError } from '../errors';
import { readInside, readTextInside } from '../files/contained';
import { isRecord } from '../shared/records';
import { badTokenizer } from '../tokenizer/folderFiles';
import { readTemplates } from '../tokenizer/templateFiles';
import { openTokenizer } from '../tokenizer/tokenizer';
import { setBpe } from './bpeTokens';
import { bool, type Keys, uint32 } from './keys';
import { isSentencePiece, setPieces, setPiecesWithoutScores } from './pieceTokens';
import { readPieces } from './sentencePiece';
import type { Json, TokenizerFiles, VocabularyFacts } from './tokenizerFiles';

/** How a family's vocabulary is looked for. */
export type VocabularyForm = 'llama' | 'sentencePieceOrBpe' | 'bpe' | 'gemma2' | 'gemma3' | 'phi3';

/** Of a checkpoint. */
export type VocabularySource = Pick<Checkpoint, 'folder' | 'configJson'> & {
  readonly config: Pick<Checkpoint['config'], 'vocabularySize'>;
};

/** @throws UserError `unsupportedModel` for a vocabulary that llama.cpp does not know */
export async function setVocabulary(
  keys: Keys,
  form: VocabularyForm,
  checkpoint: VocabularySource,
): Promise<VocabularyFacts> {
  const files = await readFiles(checkpoint);
  const nTokens = checkpoint.config.vocabularySize;
  const { tokenizerConfig, pieces } = files;
  if (form === 'llama' && typeof tokenizerConfig?.add_prefix_space === 'boolean')
    keys.set(addSpacePrefix, bool(tokenizerConfig.add_prefix_space));
  const asked =
    form === 'bpe' || (form === 'phi3' && tokenizerConfig?.tokenizer_class === 'GPT2Tokenizer') ? 'bpe' : form;
  const facts =
    asked !== 'bpe' && pieces
      ? setPieces(keys, files, pieces, { nTokens, isPhi3: form === 'phi3' })
      : asked === 'gemma2' || asked === 'phi3'
        ? refuseWithoutPieces(files.folder)
        : await setFromTokenizer(keys, files, { nTokens, mayLackScores: form === 'llama' });
  if (form === 'gemma2' || (form === 'gemma3' && pieces)) keys.set(addSpacePrefix, bool(false));
  // Of CodeLlama, and of Granite's small models, which are LLaMAs.
  if (form === 'llama' && nTokens === 32_016) keys.set('tokenizer.ggml.eot_token_id', uint32(32_010));
  if (form === 'llama' && nTokens === 49_152) keys.set('tokenizer.ggml.add_bos_token', bool(false));
  return facts;
}

const addSpacePrefix = 'tokenizer.ggml.add_space_prefix';

function refuseWithoutPieces(folder: string): never {
  throw new UserError(
    'unsupportedModel',
    `There is no tokenizer.model in ${folder}, from which llama.cpp takes this family's vocabulary; add that of the original model.`,
  );
}

async function readFiles({ folder, configJson }: VocabularySource): Promise<TokenizerFiles> {
  const json = async (name: string): Promise<Json | null> => {
    if (!(await isFile(join(folder, name)))) return null;
    const text = await readTextInside(folder, name);
    try {
      const said: unknown = JSON.parse(text);
      return isRecord(said) ? said : null;
    } catch {
      throw badTokenizer(folder, name, 'it is not valid JSON');
    }
  };
  const hasPieces = await isFile(join(folder, 'tokenizer.model'));
  return {
    folder,
    pieces: hasPieces ? readPieces(await readInside(folder, 'tokenizer.model'), join(folder, 'tokenizer.model')) : null,
    tokenizer: await json('tokenizer.json'),
    tokenizerConfig: await json('tokenizer_config.json'),
    addedTokens: await json('added_tokens.json'),
    config: configJson,
    templates: templatesOf(await readTemplates(folder, null)),
  };
}

/** One template alone is no list. */
const templatesOf = (found: unknown): unknown =>
  Array.isArray(found) && found.length === 1 && found[0].name === 'default' ? found[0].template : found;

interface BpeOptions {
  readonly nTokens: number;
  /** A vocabulary of SentencePiece may be taken from tokenizer.json, which has no scores. */
  readonly mayLackScores: boolean;
}

async function setFromTokenizer(
  keys: Keys,
  files: TokenizerFiles,
  { nTokens, mayLackScores }: BpeOptions,
): Promise<VocabularyFacts> {
  const tokenizer = await openTokenizer(files.folder);
  const vocabulary = tokenizer.vocabulary();
  const { largestId } = vocabulary;
  if (largestId >= nTokens)
    throw new UserError(
      'unsupportedModel',
      `The tokenizer in ${files.folder} has a token ${largestId}, but the model only ${nTokens} of them, which llama.cpp does not open; take the tokenizer of this model.`,
    );
  if (mayLackScores && isSentencePiece(files.tokenizer))
    return setPiecesWithoutScores(keys, files, vocabulary, nTokens);
  return setBpe(keys, files, { tokenizer, vocabulary, nTokens });
}
