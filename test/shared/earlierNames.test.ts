// Fields under the names that they had before.
import { describe, expect, it } from 'vitest';
import { namedAsNow, withNamesOfBefore, withNamesOfNow } from '../../server/shared/earlierNames';

describe('names of before', () => {
  it.each([
    ['a source of text', { windows: 4, tokens: 8 }, { sequences: 4, tokens: 8 }],
    ['what lies within', { a: [{ nWindows: 1 }, null, 2] }, { a: [{ nSequences: 1 }, null, 2] }],
    ['both names: the schema is to refuse the one', { windows: 4, sequences: 8 }, { windows: 4, sequences: 8 }],
    ['both names for one value: it is taken once', { nWindows: [1], nSequences: [1] }, { nSequences: [1] }],
    ['values stay', { kind: 'windows', files: ['nWindows'] }, { kind: 'windows', files: ['nWindows'] }],
    ['nothing that every object has', { toString: 1 }, { toString: 1 }],
    ['no object', 'windows', 'windows'],
  ])('%s', (_, before, now) => {
    expect(withNamesOfNow(before)).toEqual(now);
    expect(namedAsNow(JSON.stringify(before))).toEqual(now);
  });

  it('stand in reports for programs, beside those of now, and are read back as those of now', () => {
    const report = { models: [{ lossPerSequence: [1, 2], source: { nSequences: 2, seed: 0 } }], toString: 1 };
    const written = withNamesOfBefore(report);
    expect(written).toEqual({
      models: [
        {
          lossPerSequence: [1, 2],
          lossPerWindow: [1, 2],
          source: { nSequences: 2, nWindows: 2, seed: 0 },
        },
      ],
      toString: 1,
    });
    expect(withNamesOfNow(written)).toEqual(report);
  });
});
