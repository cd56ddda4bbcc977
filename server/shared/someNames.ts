// Names that strangers wrote as a part of a sentence: the first ones, none of them endless.

/** `a, b, c and 40 more`. */
export function someNames(names: readonly string[], most = 12): string {
  const shown = names.slice(0, most).map(shortened).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

export const shortened = (name: string): string => (name.length > 100 ? `${name.slice(0, 97)}...` : name);
