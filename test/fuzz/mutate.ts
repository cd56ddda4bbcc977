// Inputs that are nearly right: seeds with a few things changed, drawn by a seed. Text is also changed as JSON, so that much of
// it gets past the first check and meets what is behind.

export type Random = (below: number) => number;

/** mulberry32: the same numbers on every machine. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)]!;

const inherited = Object.getOwnPropertyNames(Object.prototype);
const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/** Values as JSON, each of which has broken some program. */
const values: readonly string[] = [
  ...[
    'null',
    'true',
    '""',
    '[]',
    '{}',
    '[[]]',
    '[null]',
    '0',
    '-1',
    '-0',
    '0.5',
    '1e-320',
    '1e308',
    '-1e400',
    '2147483648',
  ],
  ...[
    '4294967296',
    '9007199254740993',
    '1000000000',
    '100000000',
    '1e9',
    '"\\u0000"',
    '"\\ud800"',
    '"\\u202e"',
    '"\\u001b[2J"',
  ],
  ...[
    '"NaN"',
    '"../../etc/passwd"',
    '"."',
    '" "',
    '"1"',
    `"${'a'.repeat(5000)}"`,
    `"${'('.repeat(500)}"`,
    '"(a+)+$"',
    '"[["',
  ],
  ...['{"a":{}}', '{"0":1}', '[1,"a",null,{}]', deep(40), deep(3000), `[${'0,'.repeat(2000)}0]`],
  ...inherited.map((name) => JSON.stringify(name)),
];
const names: readonly string[] = [
  ...inherited,
  '',
  ' ',
  '0',
  '-1',
  'a',
  'kind',
  'type',
  'name',
  '__metadata__',
  'null',
  '\u202e',
];

/** Where a value of a JSON text begins and ends; found without parsing, so that broken text has places, too. */
const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[[\]{}:,]/g;

type Change = (text: string, random: Random) => string;

const atToken =
  (change: (found: string, random: Random) => string): Change =>
  (text, random) => {
    // A window of it, since a vocabulary has many thousand.
    const from = random(Math.max(1, text.length - 200));
    const places = [...text.slice(from, from + 4000).matchAll(token)];
    if (places.length === 0) return text;
    const { 0: found, index } = pick(random, places);
    return text.slice(0, from + index) + change(found, random) + text.slice(from + index + found.length);
  };

const inJson: readonly Change[] = [
  atToken((_, random) => pick(random, values)),
  atToken((_, random) => pick(random, values)),
  atToken((found, random) => (found.startsWith('"') ? JSON.stringify(pick(random, names)) : pick(random, values))),
  atToken((found) => found + found),
  atToken(() => ''),
  atToken((found, random) =>
    /^-?\d/.test(found) ? String(Number(found) * pick(random, [-1, 1000, 1e6, 1e12, 0.3])) : found,
  ),
];

const cut: Change = (text, random) => {
  const from = random(text.length + 1);
  return text.slice(0, from) + text.slice(from + random(200));
};
const moved: Change = (text, random) => {
  const from = random(text.length + 1);
  const at = random(text.length + 1);
  return text.slice(0, at) + text.slice(from, from + random(100)) + text.slice(at);
};
/** Some of it many times: what takes more than linear time shows here. */
const repeated: Change = (text, random) => {
  const from = random(text.length + 1);
  const piece = text.slice(from, from + 1 + random(60));
  return text.slice(0, from) + piece.repeat(pick(random, [2, 10, 100, 2000])) + text.slice(from);
};
/** Seldom, since it costs time: a megabyte of a piece, or a nesting that no stack holds. */
const huge: Change = (text, random) => {
  const at = random(text.length + 1);
  const piece = text.slice(at, at + 1 + random(40));
  const grown = random(2) === 0 ? deep(100_000) : piece.repeat(Math.ceil(1e6 / Math.max(1, piece.length)));
  return text.slice(0, at) + grown + text.slice(at);
};
const ended: Change = (text, random) => text.slice(0, random(text.length + 1));
const inserted: Change = (text, random) => {
  const at = random(text.length + 1);
  const odd = [
    '\0',
    '\ufeff',
    '\r',
    '\u2028',
    '\t\t',
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ':',
    '- ',
    '&a ',
    '*a',
    '{{',
    '{%',
    '\ud800',
    '  ',
  ];
  return text.slice(0, at) + pick(random, odd) + text.slice(at);
};
const inText: readonly Change[] = [cut, moved, repeated, ended, inserted];

/** A seed of text with one to four changes. `json`: the share of changes that know JSON, in percent. */
export function mutatedText(seed: string, random: Random, json: number): string {
  let text = seed;
  if (random(200) === 0) text = huge(text, random);
  for (let n = 1 + random(1 + random(4)); n > 0; n--)
    text = pick(random, random(100) < json ? inJson : inText)(text, random);
  return text;
}

/** Numbers that formats keep lengths and offsets in. */
const lengths = [0n, 1n, 255n, 65535n, 2147483647n, 4294967295n, 9007199254740993n, 2n ** 63n, 2n ** 64n - 1n];

/** A seed of bytes with one to six changes. */
export function mutatedBytes(seed: Uint8Array, random: Random): Uint8Array {
  let bytes = Buffer.from(seed);
  for (let n = 1 + random(1 + random(6)); n > 0 && bytes.length > 0; n--) {
    const at = random(bytes.length);
    const kind = random(10);
    if (kind < 5) bytes[at] = random(256);
    else if (kind < 6) bytes[at] = pick(random, [0, 0x7f, 0x80, 0xff]);
    else if (kind === 6) bytes = bytes.subarray(0, at);
    else if (kind === 7) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random(16))]);
    else if (kind === 8)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(bytes.length), at), bytes.subarray(at)]);
    else if (at + 8 <= bytes.length) bytes.writeBigUInt64LE(pick(random, lengths), at);
  }
  return bytes;
}
