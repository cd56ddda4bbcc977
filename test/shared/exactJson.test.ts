import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  exactJsonText,
  exactNumber,
  keyMark,
  numberMark,
  parseExactJson,
  writeExactJson,
} from '../../server/shared/exactJson';

const number = (digits: string) => ({ [numberMark]: digits });

describe('JSON as Python reads it', () => {
  const rows: [string, string, unknown][] = [
    ['numbers that stay as they are', '[0, -1, 0.5, 1e-7, 9007199254740991]', [0, -1, 0.5, 1e-7, 9007199254740991]],
    ['fractions that are whole', '[1.0, -2.50e1, 1E3]', [number('1.0'), number('-2.50e1'), number('1E3')]],
    ['long integers', '[12345678901234567890]', [number('12345678901234567890')]],
    ['numbers without an end', '[1e999]', [number('1e999')]],
    ['keys of digits', '{"b": 1, "10": {"2" : 1.0}}', { b: 1, [`${keyMark}10`]: { [`${keyMark}2`]: number('1.0') } }],
    ['keys that only look so', '{"01": 1, "1a": 2}', { '01': 1, '1a': 2 }],
    ['texts', '["1.0", "\\"1.0", "\\\\", "a\\"10\\": 1.0", 1]', ['1.0', '"1.0', '\\', 'a"10": 1.0', 1]],
  ];
  test.each(rows)('%s', (_, text, expected) => {
    expect(parseExactJson(text)).toEqual(expected);
    expect(JSON.parse(writeExactJson(parseExactJson(text)))).toEqual(expected);
    expect(parseExactJson(exactJsonText(parseExactJson(text), 2))).toEqual(expected);
  });

  test('everything else is as JSON.parse has it', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const plain = (value: unknown): unknown => {
          if (exactNumber(value) !== null) return exactNumber(value);
          if (Array.isArray(value)) return value.map(plain);
          if (typeof value !== 'object' || value === null) return value;
          return Object.fromEntries(Object.entries(value).map(([key, it]) => [key.replace(keyMark, ''), plain(it)]));
        };
        expect(plain(parseExactJson(text))).toEqual(plain(JSON.parse(text)));
      }),
    );
  });

  test('a number is known by its value, and others are none', () => {
    expect([0, number('1.0'), 3n, '1', null, {}, [1]].map(exactNumber)).toEqual([0, 1, 3, null, null, null, null]);
  });

  test('big integers of Parquet are written as numbers', () => {
    expect(writeExactJson([3n])).toBe('[{"\\u0000number":"3"}]');
  });

  test('what is no JSON is refused', () => {
    expect(() => parseExactJson('{"a": 1.0')).toThrow(SyntaxError);
  });
});
