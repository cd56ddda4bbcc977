// What the card of an original says that what is made of it keeps: licence and languages. Others wrote it.
import { frontMatter } from '../../gguf/modelCard';
import type { Licence } from './licences';

export interface Origin {
  readonly licence: Licence | null;
  readonly languages: readonly string[];
}

/** Nothing where there is no front matter, or none that can be read. */
export function originOf(readme: string): Origin {
  const { license, license_name: name, license_link: link, language } = frontMatter(readme);
  const word = (value: unknown) => (typeof value === 'string' && value.length < 300 ? value : undefined);
  const id = word([license].flat()[0]);
  return {
    licence: id === undefined ? null : { id, name: word(name), link: word(link) },
    languages: [language].flat().filter((each): each is string => typeof each === 'string' && each.length <= 40),
  };
}
