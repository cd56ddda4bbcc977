// A long text in pieces that can be tokenised one after the other, where it is proven that no id changes. Pure.
import { partsOf, regexOf, stringOf, type TokenizerJson, type TokenizerPart } from './tokenizerJson';

/**
 * Where a text may be cut: between `x` and ` y` for ASCII letters x and y, such that the ids of the pieces, joined, are
 * the ids of the whole. `keepSpace`: the later piece begins with the space; `dropSpace`: the tokenizer puts it back.
 * `nowhere`: not proven for this tokenizer.
 */
export type SafeCut = 'keepSpace' | 'dropSpace' | 'nowhere';

/** The text in pieces of about `pieceLength` characters (UTF-16 units) or more; see SafeCut. */
export function* pieces(text: string, cut: SafeCut, pieceLength: number): Generator<string> {
  const border = /[A-Za-z] [A-Za-z]/g;
  let start = 0;
  while (cut !== 'nowhere' && text.length - start > 2 * pieceLength) {
    border.lastIndex = start + pieceLength;
    const match = border.exec(text);
    if (!match) break;
    yield text.slice(start, match.index + 1);
    start = match.index + (cut === 'keepSpace' ? 1 : 2);
  }
  yield text.slice(start);
}

/** Says where a text for this tokenizer (as it is on disk, or as its class rebuilds it) may be cut. */
export function safeCut(json: TokenizerJson): SafeCut {
  const cut = bySpaces(json) ?? byWords(json);
  // An added token must neither straddle nor touch such a cut, in the text as written or with U+2581 for spaces.
  const touchesCut =
    cut === 'dropSpace'
      ? /[A-Za-z]$|[A-Za-z][ \u2581]|^[ \u2581](?:[A-Za-z]|$)|^[A-Za-z]/
      : /[A-Za-z]$|[A-Za-z][ \u2581]|^[ \u2581](?:[A-Za-z]|$)/;
  return json.added_tokens.some(({ content }) => touchesCut.test(content)) ? 'nowhere' : cut;
}

/**
 * SentencePiece's way: no words, U+2581 for every space, often one before the text, BPE over the whole. Only if no merge
 * makes a token with something else before a U+2581: then BPE never works across that border, and the merges on its two
 * sides do not see each other. null: it is not that way.
 */
function bySpaces({ normalizer, pre_tokenizer, model }: TokenizerJson): SafeCut | null {
  if (model.type !== 'BPE' || model.ignore_merges || !Array.isArray(model.merges)) return null;
  if (model.fuse_unk && !model.byte_fallback) return null; // unknown tokens would be fused across the border
  const cut = prependsSpace(normalizer, pre_tokenizer);
  if (cut === null) return null;
  const crosses = model.merges.some((merge: unknown) =>
    /[^\u2581]\u2581/u.test(Array.isArray(merge) ? merge.join('') : String(merge).replace(' ', '')),
  );
  return crosses ? null : cut;
}

/** Where a space before every text is put back, it is dropped; null: spaces are not written as U+2581 and nothing else. */
function prependsSpace(normalizer: TokenizerPart | null, preTokenizer: TokenizerPart | null): SafeCut | null {
  if (normalizer === null && preTokenizer?.type === 'Metaspace' && preTokenizer.replacement === '\u2581') {
    if (preTokenizer.prepend_scheme === 'never') return 'keepSpace';
    return preTokenizer.prepend_scheme === 'always' || preTokenizer.prepend_scheme === 'first' ? 'dropSpace' : null;
  }
  // A Split at spaces finds none after them.
  const splitsAtSpaces = preTokenizer?.type === 'Split' && stringOf(preTokenizer) === ' ';
  if (preTokenizer !== null && !splitsAtSpaces) return null;
  const steps = normalizer?.type === 'Sequence' ? partsOf(normalizer, 'normalizers') : normalizer ? [normalizer] : [];
  const replaces =
    steps.at(-1)?.type === 'Replace' && steps.at(-1)?.content === '\u2581' && stringOf(steps.at(-1)!) === ' ';
  if (!replaces) return null;
  if (steps.length === 1) return 'keepSpace';
  return steps.length === 2 && steps[0]?.type === 'Prepend' && steps[0].prepend === '\u2581' ? 'dropSpace' : null;
}

// In every pattern below a letter is the last character of its match or is followed by another letter, never by a space,
// so `x| y` is always a border between two matches; no pattern looks behind, so what follows a border does not depend on
// what went before. Canonical composition (NFC) never joins anything with a following space.
const byWords = ({ normalizer, pre_tokenizer }: TokenizerJson): SafeCut =>
  (normalizer === null || normalizer.type === 'NFC') && pre_tokenizer !== null && splitsByLetters(pre_tokenizer)
    ? 'keepSpace'
    : 'nowhere';

const splitPatterns = new Set([
  // Llama 3, SmolLM3
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  // Qwen 2, 2.5 and 3
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
]);

function splitsByLetters(part: TokenizerPart): boolean {
  switch (part.type) {
    case 'Sequence': {
      const parts = partsOf(part, 'pretokenizers');
      // Borders of an earlier step stay borders, so one step that makes them is enough if no other disturbs. ByteLevel
      // also writes bytes as other letters: after it, patterns would see another text.
      const inOrder = parts.every((step, i) => step.type !== 'ByteLevel' || i === parts.length - 1);
      return inOrder && parts.every((step) => harmless(step) || splitsByLetters(step)) && parts.some(splitsByLetters);
    }
    case 'Split':
      return part.invert !== true && part.behavior === 'Isolated' && splitPatterns.has(regexOf(part));
    case 'ByteLevel': // GPT-2's own pattern
      return part.add_prefix_space !== true && part.use_regex !== false;
    default:
      return false;
  }
}

/** A pre-tokenizer step that makes no border, or its own ones around digits only. */
const harmless = (part: TokenizerPart): boolean =>
  part.type === 'Digits' || (part.type === 'ByteLevel' && part.add_prefix_space !== true && part.use_regex === false);
