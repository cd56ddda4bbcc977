// The files that belong to a checkpoint beside config and weights: tokenizer, chat templates, licence, and the code that its
// configurations name. Other code and pickles stay behind, and so does the README, which speaks of another model.
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readInside, readTextInside, resolveInside } from '../files/contained';
import { exactJsonText, parseExactJson } from '../shared/exactJson';
import { isRecord } from '../shared/records';
import { generationWithoutBlocks } from './configWithoutBlocks';
import { codeNamedIn, withoutMissingCode } from './namedCode';
import { generationConfigFile, isLicence, isVocabulary, namesBeside, templateFolder } from './partNames';
import { nullIfMissing } from '../shared/systemErrors';

/** Files that may name code, or blocks. */
const read = ['tokenizer_config.json', 'preprocessor_config.json', 'processor_config.json', generationConfigFile];

export interface AuxiliaryFile {
  /** Its path in the folder, with `/`. */
  readonly name: string;
  readonly sizeBytes: number;
  /** What is written in place of what it holds; null: that itself. */
  readonly text: string | null;
}

export interface AuxiliaryFiles {
  readonly files: readonly AuxiliaryFile[];
  /** config.json without references to code that is not there. */
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * The auxiliary files in a folder, links counting as what they point to.
 * @param keptBlocks null: all
 * @throws UserError `outsideRoots` for a link out of the folder.
 */
export async function findAuxiliaryFiles(
  folder: string,
  config: Readonly<Record<string, unknown>> = {},
  keptBlocks: readonly number[] | null = null,
): Promise<AuxiliaryFiles> {
  const entries = (await readdir(folder)).sort();
  const found = entries.filter((name) => namesBeside.has(name) || isVocabulary(name) || isLicence(name));
  const templates = (await readdir(join(folder, templateFolder)).catch(nullIfMissing)) ?? [];
  const inTemplates = templates.filter((name) => name.endsWith('.jinja')).map((name) => `${templateFolder}/${name}`);

  const said = new Map<string, Record<string, unknown>>();
  for (const name of read.filter((each) => found.includes(each))) {
    const one = await objectIn(folder, name);
    if (one) said.set(name, one);
  }
  const naming = [config, ...said.values()];
  const there = await codeNamedIn(folder, naming);
  const code = await codeNamedIn(
    folder,
    naming.map((one) => withoutMissingCode(one, there)),
  );
  const files: AuxiliaryFile[] = [];
  for (const name of [...new Set([...found, ...inTemplates.sort(), ...[...code.values()].flat().sort()])]) {
    const stats = await stat(join(folder, name)).catch(nullIfMissing);
    if (!stats?.isFile()) continue;
    await resolveInside(folder, name);
    const one = said.get(name);
    const usable = one && withoutMissingCode(one, code);
    const kept = usable && name === generationConfigFile ? generationWithoutBlocks(usable, keptBlocks) : usable;
    files.push({ name, sizeBytes: stats.size, text: one && kept !== one ? `${exactJsonText(kept, 2)}\n` : null });
  }
  return { files, config: withoutMissingCode(config, code) };
}

/** Copies them as plain files with ordinary permissions; those in Hugging Face's cache are links, often read-only. */
export async function copyAuxiliaryFiles(files: readonly AuxiliaryFile[], from: string, to: string): Promise<void> {
  for (const { name, text } of files) {
    await mkdir(dirname(join(to, name)), { recursive: true });
    await writeFile(join(to, name), text ?? (await readInside(from, name)));
  }
}

/** null: it is no JSON object, and whoever reads it will say so. */
async function objectIn(folder: string, name: string): Promise<Record<string, unknown> | null> {
  const text = await readTextInside(folder, name);
  try {
    const json = parseExactJson(text);
    return isRecord(json) ? json : null;
  } catch {
    return null;
  }
}
