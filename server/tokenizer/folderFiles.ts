// The files of a Hugging Face folder that make its tokenizer, read and checked.
import { basename, join } from 'node:path';
import * as z from 'zod';
import { isUserError, UserError } from '../errors';
import { readTextInside } from '../files/contained';
import { refuseForeignContent } from '../shared/foreignContent';
import { addedTokensJson, type SpecialTokenFiles, specialTokensMap, tokenizerConfig } from './specialTokens';
import { tokenizerJson } from './tokenizerJson';
import { nullIfMissing, systemCode } from '../shared/systemErrors';

// A negative id stands for none.
const tokenId = z.int();
const modelConfig = z.looseObject({
  model_type: z.string().nullish(),
  tokenizer_class: z.string().nullish(),
  bos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
});

export interface TokenizerFiles extends SpecialTokenFiles {
  /** tokenizer.json as it is written. */
  readonly text: string;
  readonly model: z.infer<typeof modelConfig>;
}

/** @throws UserError notFound without tokenizer.json, damagedCheckpoint for a file that is not what it is to be */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const text = await readText(folder, 'tokenizer.json');
  if (text === null) throw await missingTokenizer(folder);
  return {
    text,
    json: checked(tokenizerJson, text, folder, 'tokenizer.json'),
    config: (await read(tokenizerConfig, folder, 'tokenizer_config.json')) ?? tokenizerConfig.parse({}),
    map: await read(specialTokensMap, folder, 'special_tokens_map.json'),
    added: await read(addedTokensJson, folder, 'added_tokens.json'),
    model: (await read(modelConfig, folder, 'config.json')) ?? {},
  };
}

/** null: the file is not there. */
async function read<T extends z.ZodType>(schema: T, folder: string, name: string): Promise<z.infer<T> | null> {
  const text = await readText(folder, name);
  return text === null ? null : checked(schema, text, folder, name);
}

/** null: the file is not there. */
const readText = (folder: string, name: string): Promise<string | null> =>
  readTextInside(folder, name).then(
    (text) => {
      if (name.endsWith('.json')) refuseForeignContent(join(folder, name), text, 'json');
      return text;
    },
    (error: NodeJS.ErrnoException) => {
      if (isUserError(error) || systemCode(error)) return nullIfMissing(error);
      throw badTokenizer(folder, name, `it cannot be read (${error.code})`);
    },
  );

function checked<T extends z.ZodType>(schema: T, text: string, folder: string, name: string): z.infer<T> {
  const result = schema.safeParse(parsed(text, folder, name));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw badTokenizer(folder, name, `${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'not understood'}`);
}

function parsed(text: string, folder: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badTokenizer(folder, name, 'it is not valid JSON');
  }
}

/** Forms of a tokenizer from before tokenizer.json, which transformers converts. */
const olderForms = ['tokenizer.model', 'tekken.json', 'tiktoken.model', 'vocab.json'];

async function missingTokenizer(folder: string): Promise<UserError> {
  for (const name of olderForms)
    if ((await readText(folder, name)) !== null)
      return new UserError(
        'notFound',
        `There is no tokenizer.json in ${folder}, only ${name}; have transformers write it: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER).`,
      );
  return new UserError(
    'notFound',
    `There is no tokenizer.json in ${folder}; add the one of the original model, or give token ids instead of text.`,
  );
}

export const badTokenizer = (folder: string, name: string, reason: string): UserError =>
  new UserError(
    'damagedCheckpoint',
    `${name} in ${basename(folder)} is not usable: ${reason.split('\n')[0]?.replace(/\.$/, '')}; download the folder's tokenizer files again.`,
  );
