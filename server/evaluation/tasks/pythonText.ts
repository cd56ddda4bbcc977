// Strings as Python 3 has them, where JavaScript differs: white space, capitals and lengths. Tasks are defined by what
// Python makes of their texts, and one space more is another token. Pure.

// What str.isspace() and the regular expressions' \s hold. JavaScript's own \s lacks U+001C to U+001F and U+0085, and
// has U+FEFF.
const space = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

/** Python's \s, for the source of a regular expression. */
export const anySpace = `[${space}]`;

const leading = new RegExp(`^${anySpace}+`);
const isSpace = new RegExp(anySpace);
const runs = new RegExp(`${anySpace}+`);

export const lstrip = (text: string): string => text.replace(leading, '');

/** Walks from the end: a pattern that ends in $ is tried at every run of spaces. */
export function rstrip(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}

export const strip = (text: string): string => lstrip(rstrip(text));

/** re.split(r"\s+", text): a text that begins or ends in white space has an empty part there. */
export const splitAtSpaces = (text: string): string[] => text.split(runs);

/** str.replace for all occurrences, from the left and without overlaps. */
export const replace = (text: string, old: string, by: string): string => text.split(old).join(by);

/** len: code points, where JavaScript counts UTF-16 units. */
export function length(text: string): number {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

/** The first character as in a title, all others in lower case. */
export function capitalize(text: string): string {
  const first = String.fromCodePoint(text.codePointAt(0) ?? 0);
  if (text === '') return '';
  // As a whole, because a capital sigma becomes another letter at the end of a word.
  return titleCase(first) + text.toLowerCase().slice(first.toLowerCase().length);
}

// JavaScript has upper case only. They differ in letters that are two in one, in those with an iota below, which stays
// below in a title, and in Georgian, which has capitals but no titles.
function titleCase(character: string): string {
  const upper = character.toUpperCase();
  if (/[\u10d0-\u10ff]/.test(character)) return character;
  if (/[\u01c4-\u01cc\u01f1-\u01f3]/.test(character)) return digraphs[upper]!;
  if (/[\u1f80-\u1fff]/.test(character) && /.\u0399$/u.test(upper)) {
    const title = `${upper.slice(0, -1)}\u0345`;
    return title.length === 2 ? title.normalize('NFC') : title;
  }
  if (/[\u00df\u0587\ufb00-\ufb17]/.test(character)) return upper[0] + upper.slice(1).toLowerCase();
  return upper;
}

const digraphs: Record<string, string> = {
  '\u01c4': '\u01c5',
  '\u01c7': '\u01c8',
  '\u01ca': '\u01cb',
  '\u01f1': '\u01f2',
};
