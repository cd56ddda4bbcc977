// Whether text is well-formed XML, as strict as is needed for pictures: nesting, quotes, entities, characters, ids.

/** Tags with their attributes and the text around them; throws where a parser of XML would. */
export function parseXml(xml: string): { tag: string; attributes: Record<string, string>; text: string }[] {
  const found: { tag: string; attributes: Record<string, string>; text: string }[] = [];
  const open: (typeof found)[number][] = [];
  const fail = (why: string, at: number) => {
    throw new Error(`${why} at ${xml.slice(at, at + 60)}`);
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids
  const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/u.exec(xml);
  if (forbidden) fail('a character that XML does not have', forbidden.index);
  const token = /<\/([\w:-]+)\s*>|<([\w:-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  for (let at = 0; at < xml.length; at = token.lastIndex) {
    token.lastIndex = at;
    const match = token.exec(xml);
    if (!match) return fail('no XML', at) as never;
    const [, closed, tag, attributeText = '', empty, text] = match;
    if (text !== undefined) {
      if (open.length === 0 && text.trim()) fail('text outside', at);
      for (const one of open.slice(-1)) one.text += plain(text);
    } else if (closed) {
      if (open.pop()?.tag !== closed) fail('a wrong end', at);
    } else {
      const pairs = [...attributeText.matchAll(/([\w:-]+)="([^"]*)"/g)].map(
        ([, k = '', v = '']) => [k, plain(v)] as const,
      );
      if (new Set(pairs.map(([name]) => name)).size !== pairs.length) fail('an attribute twice', at);
      const element = { tag: tag!, attributes: Object.fromEntries(pairs), text: '' };
      found.push(element);
      if (!empty) open.push(element);
    }
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)!.tag}> has no end`);
  const ids = found.flatMap(({ attributes: { id } }) => (id === undefined ? [] : [id]));
  if (new Set(ids).size !== ids.length) throw new Error('an id twice');
  return found;
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#39': "'" };

const plain = (text: string) =>
  text.replaceAll(/&([^;\s]*;?)/g, (whole, name: string) => {
    const value = name.endsWith(';') ? entities[name.slice(0, -1)] : undefined;
    if (value === undefined) throw new Error(`an entity that XML does not have: ${whole}`);
    return value;
  });
