// generation_config.json: where a model's text ends, as transformers' `generate` reads it.
import { basename } from 'node:path';
import * as z from 'zod';
import { isUserError, UserError } from '../errors';
import { readTextInside } from '../files/contained';
import type { Checkpoint } from './checkpoint';
import { generationConfigFile } from './partNames';
import { nullIfMissing, systemCode } from '../shared/systemErrors';

const schema = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish() });

/**
 * Ids at which generation ends. The file alone says them where there is one, also that there is none; else config.json does.
 * That is GenerationConfig.from_pretrained of transformers 5.24, and from_model_config without the file. Only where nothing
 * is said anywhere the end that the tokenizer names counts, too.
 * @param tokenizerEos null: it names none
 * @throws UserError `damagedCheckpoint`.
 */
export async function endIdsOf(
  { folder, config, configJson }: Pick<Checkpoint, 'folder' | 'config' | 'configJson'>,
  tokenizerEos: number | null,
): Promise<number[]> {
  const text = await readTextInside(folder, generationConfigFile).catch((error: NodeJS.ErrnoException) => {
    if (isUserError(error) || systemCode(error)) return nullIfMissing(error);
    throw damaged(folder, `cannot be read (${error.code})`);
  });
  // A negative id stands for none.
  if (text !== null) return [eosIn(text, folder) ?? []].flat().filter((id) => id >= 0);
  const isSaid = configJson.eos_token_id !== undefined;
  return [...config.eosTokenIds, ...(isSaid || tokenizerEos === null ? [] : [tokenizerEos])];
}

function eosIn(text: string, folder: string): number | number[] | null | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw damaged(folder, 'is not valid JSON');
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data.eos_token_id;
  throw damaged(folder, 'has an eos_token_id that is no token id and no list of them');
}

const damaged = (folder: string, what: string) =>
  new UserError(
    'damagedCheckpoint',
    `${generationConfigFile} in ${basename(folder)} ${what}; repair it, or remove it, and config.json says where text ends.`,
  );
