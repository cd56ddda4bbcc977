// What the card of an original says that what is made of it keeps: licence and languages. Others wrote it.
import { parse } from 'yaml';
import { isRecord } from '../../shared/records';
import type { Licence } from './licences';

export interface Origin {
  readonly licence: Licence | null;
  readonly languages: readonly string[];
}

const nothing: Origin = { licence: null, languages: [] };
const mostCharacters = 100_000;

/** Nothing where there is no front matter, or none that can be read. */
export function originOf(readme: string): Origin {
  const [, text] = /^\s*---\r?\n([\s\S]*?)\r?\n---(?:\r?\n|$)/.exec(readme.slice(0, mostCharacters)) ?? [];
  if (text === undefined) return nothing;
  const fields = parsed(text);
  if (!isRecord(fields)) return nothing;
  const { license, license_name: name, license_link: link, language } = fields;
  const word = (value: unknown) => (typeof value === 'string' && value.length < 300 ? value : undefined);
  const id = word([license].flat()[0]);
  return {
    licence: id === undefined ? null : { id, name: word(name), link: word(link) },
    languages: [language].flat().filter((each): each is string => typeof each === 'string' && each.length <= 40),
  };
}

function parsed(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 });
  } catch {
    return null;
  }
}
