// Text of strangers where it is shown: what a terminal or an editor would act on, instead of showing it, becomes its code.

/**
 * Controls (C0, DEL and C1, so all escape sequences), what turns the direction of writing around, the line separators that only
 * some programs know, and halves of pairs. Lines and tabs stay.
 */
const acted = /[\p{Cc}\p{Cs}\u061C\u200E\u200F\u2028-\u202E\u2066-\u206F\uFFF9-\uFFFB]/gu;

const code = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** `\u001b` for an escape. JSON stays the same JSON, since controls stand only inside of its strings. */
export const visible = (text: string): string =>
  text.replace(acted, (character) => (character === '\n' || character === '\t' ? character : code(character)));

/** The same where a line has to stay one: in a cell, a title, a line of progress. */
export const visibleLine = (text: string): string => visible(text).replace(/[\n\t]/g, code);

/** A message whose later lines are indented, so that it cannot pass for several. */
export const visibleMessage = (text: string): string => visible(text).replaceAll('\n', '\n  ');
