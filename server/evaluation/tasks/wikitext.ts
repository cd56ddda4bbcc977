// The documents of WikiText-2 (Merity et al., 2016), page by page: how well the text is predicted, per word and per byte.
import { hubPlaces, rowsForm, text, textForm } from './forms';
import { anySpace, replace, splitAtSpaces, strip } from './pythonText';
import type { DocumentForms, Question } from './task';

export const wikitext: DocumentForms = (split, hub) => [
  rowsForm([...hubPlaces('wikitext', hub, split), `wikitext-2-raw-v1/*-${split}.parquet`], { page: text }, ({ page }) =>
    asked(page),
  ),
  textForm(
    [`wikitext-2-raw/wiki.${split}.raw`, `wikitext-2-raw-v1/wiki.${split}.raw`, `wiki.${split}.raw`],
    'pages that begin with a line such as " = Title = "',
    (file) => pages(file).map(asked),
  ),
];

const asked = (page: string): Question => ({
  kind: 'page',
  text: detokenised(page),
  nWords: splitAtSpaces(page).length,
  nBytes: Buffer.byteLength(page),
});

/** A page begins at a heading of the first order. */
function pages(file: string): string[] {
  const found: string[][] = [[]];
  for (const line of file.split('\n')) {
    const short = strip(replace(replace(line, '= = =', '==='), '= =', '=='));
    if (short.startsWith('= ') && short.endsWith(' =')) found.push([]);
    found.at(-1)!.push(line);
  }
  return found.map((lines) => lines.join('\n')).filter((page) => strip(page) !== '');
}

// What the harness does to a page, in its order. Its rule for numbers after an apostrophe has the slashes of another
// language in it and so hardly ever applies; it is kept, since scores depend on it.
const before = [["s '", "s'"]] as const;
const separators = [
  [' @-@ ', '-'],
  [' @,@ ', ','],
  [' @.@ ', '.'],
  [' : ', ': '],
  [' ; ', '; '],
  [' . ', '. '],
  [' ! ', '! '],
  [' ? ', '? '],
  [' , ', ', '],
] as const;
const s = anySpace;
const trimmedInside = [
  [new RegExp(`\\(${s}*([^)]*?)${s}*\\)`, 'g'), '(', ')'],
  [new RegExp(`\\[${s}*([^\\]]*?)${s}*\\]`, 'g'), '[', ']'],
  [new RegExp(`\\{${s}*([^}]*?)${s}*\\}`, 'g'), '{', '}'],
  [new RegExp(`"${s}*([^"]*?)${s}*"`, 'g'), '"', '"'],
  [new RegExp(`'${s}*([^']*?)${s}*'`, 'g'), "'", "'"],
] as const;
const after = [
  ['= = = =', '===='],
  ['= = =', '==='],
  ['= =', '=='],
  [' \u00b0 ', '\u00b0'],
  [' \n', '\n'],
  ['\n ', '\n'],
  [' N ', ' 1 '],
  [" 's", "'s"],
] as const;

function detokenised(page: string): string {
  const all = (text: string, rules: readonly (readonly [string, string])[]) =>
    rules.reduce((done, [old, by]) => replace(done, old, by), text);
  let text = all(page, before).replace(/\/' [0-9]\//g, "/'[0-9]/");
  text = all(text, separators);
  for (const [pattern, open, close] of trimmedInside)
    text = text.replace(pattern, (_, inside: string) => open + inside + close);
  return all(text, after);
}
