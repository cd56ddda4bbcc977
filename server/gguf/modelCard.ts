// What the README of a model folder says of the model in its front matter, read as llama.cpp's converter reads it.
import { join } from 'node:path';
import { parse } from 'yaml';
import { isFile } from '../checkpoint/folder';
import { readTextInside } from '../files/contained';
import { isRecord } from '../shared/records';

export type ModelCard = Readonly<Record<string, unknown>>;

/** The front matter; empty where there is none, or none that can be read: a README is prose, and stops no export. */
export async function readModelCard(folder: string): Promise<ModelCard> {
  if (!(await isFile(join(folder, 'README.md')))) return {};
  return frontMatter(await readTextInside(folder, 'README.md'));
}

export function frontMatter(text: string): ModelCard {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines[0] !== '---') return {};
  const end = lines.indexOf('---', 1);
  const yaml = `${lines.slice(1, end < 0 ? undefined : end).join('\n')}\n`;
  try {
    // "no" is Norwegian, and a tab is two spaces.
    const said: unknown = parse(yaml.replaceAll('- no\n', '- "no"\n').replaceAll('\t', '  '), {
      version: '1.1',
      prettyErrors: false,
      logLevel: 'silent',
      maxAliasCount: 100,
    });
    return isRecord(said) ? said : {};
  } catch {
    return {};
  }
}
