// Ids back to text, piece by piece, where it is proven that the text of the pieces, joined, is the text of the whole. The
// library writes every piece; most pieces are one id, whose text is kept.
import type { Library } from './library';
import { remembering } from './remembering';
import { partsOf, stringOf, type TokenizerPart } from './tokenizerJson';

/** How a decoder writes ids. A token that stands alone is written alike whatever its neighbours are. */
export interface Joining {
  standsAlone(token: string | null, text: string): boolean;
  /** Takes one space away before a whole text. */
  readonly stripsSpace: boolean;
}

/** null: nothing is proven of this decoder. */
export function joiningOf(decoder: TokenizerPart | null): Joining | null {
  // A text is the bytes of its tokens. What is not UTF-8 becomes U+FFFD, which never reaches into a token that is UTF-8.
  if (decoder?.type === 'ByteLevel')
    return { stripsSpace: false, standsAlone: (_, text) => text !== '' && !text.includes('\uFFFD') };
  if (decoder?.type !== 'Sequence') return null;
  const [spaces, ...rest] = partsOf(decoder, 'decoders');
  const writesSpaces = spaces?.type === 'Replace' && stringOf(spaces) === '\u2581' && spaces.content === ' ';
  const [bytes, fuse, strip, ...more] = rest;
  if (!writesSpaces || bytes?.type !== 'ByteFallback' || fuse?.type !== 'Fuse' || more.length > 0) return null;
  // Only tokens for bytes are looked at together.
  const standsAlone = (token: string | null) => token !== null && !byteToken.test(token);
  if (strip === undefined) return { stripsSpace: false, standsAlone };
  const stripsOne = strip.type === 'Strip' && strip.content === ' ' && strip.start === 1 && strip.stop === 0;
  return stripsOne ? { stripsSpace: true, standsAlone } : null;
}

/** As Rust reads a byte in hexadecimal digits, with a plus sign too. */
const byteToken = /^<0x[0-9A-Fa-f+][0-9A-Fa-f]>$/;

/** `added`: among them are all that are left out where special tokens are. */
export function joinedDecoder(library: Library, joining: Joining, added: readonly string[]): Library['decode'] {
  /** By id; null: it is written together with its neighbours. */
  const texts = new Map<number, string | null>();

  async function textsOf(pieces: readonly (readonly number[])[], skipSpecialTokens = false): Promise<string[]> {
    if (!joining.stripsSpace) return library.decodeEach(pieces, skipSpecialTokens);
    // Of a piece written twice, the second half has lost no space.
    const twice = pieces.map((piece) => [...piece, ...piece]);
    return (await library.decodeEach(twice, skipSpecialTokens)).map((text) => text.slice(text.length >> 1));
  }
  const runTexts = remembering(
    (runs: readonly number[][]) => textsOf(runs),
    (run) => run.join(),
  );

  let special: Promise<ReadonlySet<number>> | null = null;
  async function findSpecial(): Promise<ReadonlySet<number>> {
    const ids = added.map((token) => library.idOf(token)).filter((id) => id !== null);
    const left = await textsOf(
      ids.map((id) => [id]),
      true,
    );
    return new Set(ids.filter((_, i) => left[i] === ''));
  }

  async function learn(ids: readonly number[]): Promise<void> {
    const fresh = new Set<number>();
    for (const id of ids) if (!texts.has(id)) fresh.add(id);
    if (fresh.size === 0) return;
    const written = await textsOf([...fresh].map((id) => [id]));
    for (const [i, id] of [...fresh].entries())
      texts.set(id, joining.standsAlone(library.tokenOf(id), written[i]!) ? written[i]! : null);
  }

  /** Texts of ids that stand alone, and between them runs of the others. */
  function split(ids: readonly number[]): (string | number[])[] {
    const parts: (string | number[])[] = [];
    for (const id of ids) {
      const text = texts.get(id)!;
      const last = parts.at(-1);
      if (text !== null) parts.push(text);
      else if (Array.isArray(last)) last.push(id);
      else parts.push([id]);
    }
    return parts;
  }

  return async (ids, skipSpecialTokens) => {
    const leftOut = skipSpecialTokens ? await (special ??= findSpecial()) : null;
    const kept = leftOut ? ids.filter((id) => !leftOut.has(id)) : ids;
    await learn(kept);
    const parts = split(kept);
    const written = await runTexts(parts.filter((part) => Array.isArray(part)));
    let nRuns = 0;
    const text = parts.map((part) => (Array.isArray(part) ? written[nRuns++]! : part)).join('');
    return joining.stripsSpace && text.startsWith(' ') ? text.slice(1) : text;
  };
}
