// Fields under the names that they had before.
import { describe, expect, it } from 'vitest';
import { namedAsNow, withNamesOfNow } from '../../server/shared/earlierNames';

describe('names of before', () => {
  it.each([
    ['a source of text', { windows: 4, tokens: 8 }, { sequences: 4, tokens: 8 }],
    ['what lies within', { a: [{ nWindows: 1 }, null, 2] }, { a: [{ nSequences: 1 }, null, 2] }],
    ['both names: the schema is to refuse the one', { windows: 4, sequences: 8 }, { windows: 4, sequences: 8 }],
    ['values stay', { kind: 'windows', files: ['nWindows'] }, { kind: 'windows', files: ['nWindows'] }],
    ['nothing that every object has', { toString: 1 }, { toString: 1 }],
    ['no object', 'windows', 'windows'],
  ])('%s', (_, before, now) => {
    expect(withNamesOfNow(before)).toEqual(now);
    expect(namedAsNow(JSON.stringify(before))).toEqual(now);
  });
});
