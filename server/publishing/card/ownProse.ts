// What a person writes into a card. It stands between two marks, and stays when the card is made again. Pure.

const begin = '<!-- yours: what stands between these two lines is kept when the card is made again -->';
const end = '<!-- end of yours -->';

const placeholder = '_Write here what the model is for, and what it should not be used for._';

/** Of a card that is there; null: it has none, or nothing was written into it. */
export function ownProseIn(card: string): string | null {
  const [, inside] = new RegExp(`${begin}\\n([\\s\\S]*?)\\n?${end}`).exec(card.replaceAll('\r\n', '\n')) ?? [];
  const text = inside?.trim() ?? '';
  return text === '' || text === placeholder ? null : text;
}

/** Whether a card was made here: others have no such part. */
export const hasOwnPart = (card: string): boolean => card.includes(begin);

/** A mark within it would end it. */
export const ownProse = (text: string | null): string =>
  [begin, (text ?? placeholder).replaceAll(begin, '').replaceAll(end, ''), end].join('\n');
