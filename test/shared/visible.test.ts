// What a terminal or an editor acts on becomes its code; everything else stays.
import { describe, expect, it } from 'vitest';
import { withoutIcons, withoutLinks } from '../../extension/markup';
import { UserError } from '../../server/errors';
import { visible, visibleLine, visibleMessage } from '../../server/shared/visible';

const rows: [what: string, text: string, shown: string][] = [
  ['plain text in any script', 'Größe 模型 שלום مرحبا 👩‍🔬 é', 'Größe 模型 שלום مرحبا 👩‍🔬 é'],
  ['lines and tabs', 'a\n\tb', 'a\n\tb'],
  ['an escape sequence', '\x1b[31ma', '\\u001b[31ma'],
  ['one of C1', '\x9b31ma', '\\u009b31ma'],
  ['a carriage return', 'a\rb', 'a\\u000db'],
  ['backspace and delete', 'a\b\x7f', 'a\\u0008\\u007f'],
  ['an override of direction', 'a\u202eb', 'a\\u202eb'],
  ['an isolate', '\u2066a\u2069', '\\u2066a\\u2069'],
  ['a line separator', 'a\u2028b', 'a\\u2028b'],
  ['half of a pair', 'a\ud800b', 'a\\ud800b'],
  ['a whole pair', '\ud83d\ude00', '\ud83d\ude00'],
];

describe('visible', () => {
  it.each(rows)('%s', (_, text, shown) => expect(visible(text)).toBe(shown));

  it.each(rows)('leaves JSON the same JSON: %s', (_, text) => {
    const value = { [text]: [text] };
    expect(JSON.parse(visible(JSON.stringify(value, null, 1)))).toEqual(value);
  });

  it('keeps one line one, and a message one', () => {
    expect(visibleLine('a\nb\tc')).toBe('a\\u000ab\\u0009c');
    expect(visibleMessage('a\nespalier: b')).toBe('a\n  espalier: b');
  });
});

describe("the editor's own marks", () => {
  it('become letters', () => {
    expect(withoutIcons('$(check) done')).toBe('\\$(check) done');
    expect(withoutLinks('[a](command:b)')).toBe('[a] (command:b)');
  });
});

describe('a sentence', () => {
  it('is not endless, whatever it names', () => {
    const { message } = new UserError('badData', `${'a'.repeat(1e6)} has no rows; give a file that has some.`);
    expect(message.length).toBeLessThan(1500);
    expect(message).toMatch(/^a+ \.\.\. a+ has no rows; give a file that has some\.$/);
  });
});
