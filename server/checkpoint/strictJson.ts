// JSON as files of weights use it: JSON.parse, but a name that occurs twice in an object is an error. JSON.parse keeps
// the last one silently, other readers the first, and two readers would see two different models in one file.

/**
 * Parses JSON and refuses duplicate names at every level.
 * @throws Error whose message is one line and fits behind "the header is not valid JSON: ".
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = parse(text);
  const duplicate = findDuplicateName(text);
  if (duplicate !== null) throw new Error(`the name ${quote(duplicate)} occurs twice`);
  return value;
}

/** Text from a file as part of a one-line sentence: quoted, escaped, not endless. */
export function quote(text: string): string {
  const shown = text.length > 120 ? `${text.slice(0, 117)}...` : text;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes the text around the mistake, which may hold anything; only the position is kept.
    const position = /position (\d+)/.exec((error as Error).message)?.[1];
    throw new Error(
      position === undefined ? 'it ends too early or is garbled' : `unexpected character at position ${position}`,
    );
  }
}

/** The first name that an object of this text, known to be valid JSON, holds twice. */
function findDuplicateName(text: string): string | null {
  // A set of names for every open object, null for every open list.
  const open: (Set<string> | null)[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(null);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(text, at);
      if (nextVisible(text, end) === ':') {
        const name = JSON.parse(text.slice(at, end)) as string;
        const names = open.at(-1);
        if (names?.has(name)) return name;
        names?.add(name);
      }
      at = end - 1;
    }
  }
  return null;
}

/** The position behind the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function nextVisible(text: string, from: number): string | undefined {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return text[at];
}
