// Lists of blocks: read, written, and refused with a sentence.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DropSet } from '../../server/protocol/recipes';
import { checkDropSet, formatBlockList, formatDropSet, ofBlocks, parseBlockList } from '../../server/shared/dropSets';
import { refusal } from '../refusal';

describe('a list is read', () => {
  const rows: [string, number[]][] = [
    ['0', [0]],
    ['3,5,8-10', [3, 5, 8, 9, 10]],
    ['8-10,3,5', [3, 5, 8, 9, 10]],
    ['5-5', [5]],
    ['1,1,0-2', [0, 1, 2]],
    ['10,9', [9, 10]],
    [' 3 , 5 , 8 - 10 ', [3, 5, 8, 9, 10]],
    ['007', [7]],
    ['999999', [999_999]],
  ];
  it.each(rows)('"%s"', (text, blocks) => expect(parseBlockList(text)).toEqual(blocks));
});

describe('refused as a list', () => {
  const rows = [
    '',
    ' ',
    ',',
    '1,',
    ',1',
    '1,,2',
    '5-3',
    '1-',
    '-1',
    '1--2',
    '1-2-3',
    '1.5',
    '1e2',
    '0x1',
    'all',
    'none',
  ];
  it.each([...rows, '3;5', '3 5', '1000000', '٣', '1–3'])('"%s"', (text) =>
    expect(refusal(() => parseBlockList(text))).toBe(
      `usage: "${text}" is not a list of blocks; write numbers and ranges such as 3,5,8-10.`,
    ),
  );
});

describe('a list is written', () => {
  const rows: [number[], string][] = [
    [[], 'none'],
    [[0], '0'],
    [[3, 4], '3,4'],
    [[3, 4, 5], '3-5'],
    [[3, 5, 8, 9, 10], '3,5,8-10'],
    [[0, 1, 2, 4, 5, 7], '0-2,4,5,7'],
  ];
  it.each(rows)('[%s] as "%s"', (blocks, text) => expect(formatBlockList(blocks)).toBe(text));

  const sets = fc.uniqueArray(fc.nat(80), { minLength: 1 }).map((blocks) => blocks.sort((a, b) => a - b));
  it('and read again as the same', () =>
    fc.assert(
      fc.property(sets, (blocks) => {
        expect(parseBlockList(formatBlockList(blocks))).toEqual(blocks);
      }),
    ));
  it('never longer than number by number', () =>
    fc.assert(
      fc.property(sets, (blocks) => {
        expect(formatBlockList(blocks).length).toBeLessThanOrEqual(`${blocks}`.length);
      }),
    ));
});

describe('a drop set', () => {
  const accepted: [number[], number[]][] = [
    [[], []],
    [
      [5, 3, 5],
      [3, 5],
    ],
    [
      [29, 0],
      [0, 29],
    ],
  ];
  it.each(accepted)('[%s] is used as [%s]', (blocks, used) =>
    expect(checkDropSet(ofBlocks(blocks), 30)).toEqual(ofBlocks(used)),
  );

  const refused: [number[], number, string][] = [
    [[30], 30, 'There is no block 30: the model has 30 blocks, 0 to 29.'],
    [[-1], 30, 'There is no block -1: the model has 30 blocks, 0 to 29.'],
    [[1.5], 30, 'There is no block 1.5: the model has 30 blocks, 0 to 29.'],
    [[2, 40, 31], 30, 'There is no block 31: the model has 30 blocks, 0 to 29.'],
    [[0, 1, 2], 3, 'Dropping all 3 blocks leaves no model; keep at least one.'],
    [[0], 1, 'Dropping all 1 blocks leaves no model; keep at least one.'],
  ];
  it.each(refused)('[%s] of %i blocks is refused', (blocks, nBlocks, sentence) =>
    expect(refusal(() => checkDropSet(ofBlocks(blocks), nBlocks))).toBe(`badChoice: ${sentence}`),
  );

  const sublayers: [string, DropSet, DropSet][] = [
    [
      'sublayers stay sublayers',
      { blocks: [], attention: [4, 2], mlp: [3] },
      { blocks: [], attention: [2, 4], mlp: [3] },
    ],
    [
      'a block that loses both is a block',
      { blocks: [], attention: [2, 3], mlp: [3] },
      { blocks: [3], attention: [2], mlp: [] },
    ],
    [
      'a sublayer of a dropped block says nothing',
      { blocks: [2], attention: [2], mlp: [1, 2] },
      { blocks: [2], attention: [], mlp: [1] },
    ],
  ];
  it.each(sublayers)('%s', (_, drop, used) => expect(checkDropSet(drop, 5)).toEqual(used));

  it.each<[DropSet, string]>([
    [{ blocks: [12, 13, 14], attention: [3], mlp: [20, 21] }, '12-14; attention 3; mlp 20,21'],
    [{ blocks: [], attention: [], mlp: [] }, 'nothing'],
  ])('%j is shown as %s', (drop, text) => expect(formatDropSet(drop)).toBe(text));
});
