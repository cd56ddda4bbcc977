// A long text in pieces that can be tokenised one after the other, where it is proven that no id changes. Pure.
import { isSentencePiece, partsOf, regexOf, type TokenizerJson, type TokenizerPart } from './tokenizerJson';

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

/** Says where a text for this tokenizer (as it is on disk) may be cut. */
export function safeCut(json: TokenizerJson): SafeCut {
  // An added token must neither straddle nor touch such a cut, in the text as written or with U+2581 for spaces.
  const touchesCut = /[A-Za-z]$|[A-Za-z][ \u2581]|^[ \u2581](?:[A-Za-z]|$)/;
  if (json.added_tokens.some(({ content }) => touchesCut.test(content))) return 'nowhere';
  if (isSentencePiece(json)) return 'dropSpace';
  // In every pattern below a letter is the last character of its match or is followed by another letter, never by a
  // space, so `x| y` is always a border between two matches; no pattern looks behind, so what follows a border does not
  // depend on what went before. Canonical composition (NFC) never joins anything with a following space.
  const composes = json.normalizer === null || json.normalizer.type === 'NFC';
  return composes && json.pre_tokenizer !== null && splitsByLetters(json.pre_tokenizer) ? 'keepSpace' : 'nowhere';
}

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
