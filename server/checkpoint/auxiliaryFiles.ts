// The files that belong to a checkpoint beside config and weights: tokenizer, chat template, licence. Code and pickles stay behind.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const names = new Set([
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
]);
const isLicence = (name: string) =>
  /^(LICENSE|LICENCE|NOTICE|USE_POLICY)([._-].*)?$/i.test(name) && !/\.(py|bin)$/i.test(name);

export interface AuxiliaryFile {
  readonly name: string;
  readonly sizeBytes: number;
}

/** The auxiliaryFiles in a folder, links counting as what they point to. */
export async function findAuxiliaryFiles(folder: string): Promise<AuxiliaryFile[]> {
  const found: AuxiliaryFile[] = [];
  for (const name of (await readdir(folder)).sort()) {
    if (!names.has(name) && !isLicence(name)) continue;
    const stats = await stat(join(folder, name)).catch(() => null);
    if (stats?.isFile()) found.push({ name, sizeBytes: stats.size });
  }
  return found;
}

/** Copies them as plain files with ordinary permissions; those in Hugging Face's cache are links, often read-only. */
export async function copyAuxiliaryFiles(
  auxiliaryFiles: readonly AuxiliaryFile[],
  from: string,
  to: string,
): Promise<void> {
  for (const { name } of auxiliaryFiles) await writeFile(join(to, name), await readFile(join(from, name)));
}
