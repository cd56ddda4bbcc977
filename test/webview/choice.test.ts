import { describe, expect, it } from 'vitest';
import { type Choice, fitting, protect, setRange, span, take, toggle } from '../../webview/choose/choice';
import { begin, change, redo, undo } from '../../webview/choose/history';
import { emptyDropSet, keyOf, normalized, ofBlocks } from '../../server/shared/dropSets';

const choice = (blocks: number[], sublayers: Partial<Choice['drop']> = {}, kept: number[] = []): Choice => ({
  drop: { ...emptyDropSet, blocks, ...sublayers },
  protected: kept,
});
const block = (k: number) => ({ block: k, sublayer: null });

const edits: { name: string; edited: Choice; is: Choice }[] = [
  { name: 'a click drops a block', edited: toggle(choice([3]), block(1)), is: choice([1, 3]) },
  { name: 'another keeps it', edited: toggle(choice([1, 3]), block(1)), is: choice([3]) },
  { name: 'a protected block stays', edited: toggle(choice([], {}, [1]), block(1)), is: choice([], {}, [1]) },
  {
    name: 'a sublayer can be dropped',
    edited: toggle(choice([]), { block: 2, sublayer: 'mlp' }),
    is: choice([], { mlp: [2] }),
  },
  {
    name: 'a block that loses its second sublayer goes as a whole',
    edited: toggle(choice([1], { mlp: [2] }), { block: 2, sublayer: 'attention' }),
    is: choice([1, 2]),
  },
  {
    name: 'a sublayer of a dropped block cannot be toggled',
    edited: toggle(choice([2]), { block: 2, sublayer: 'attention' }),
    is: choice([2]),
  },
  {
    name: 'dropping a block takes its sublayers along',
    edited: toggle(choice([], { mlp: [2] }), block(2)),
    is: choice([2]),
  },
  { name: 'a range downwards', edited: setRange(choice([7]), 2, 4, true), is: choice([2, 3, 4, 7]) },
  { name: 'a range upwards', edited: setRange(choice([]), 4, 2, true), is: choice([2, 3, 4]) },
  { name: 'a range of one', edited: setRange(choice([]), 4, 4, true), is: choice([4]) },
  {
    name: 'a range around protected blocks',
    edited: setRange(choice([], {}, [3]), 2, 4, true),
    is: choice([2, 4], {}, [3]),
  },
  { name: 'a range given back', edited: setRange(choice([1, 2, 3, 4]), 2, 3, false), is: choice([1, 4]) },
  { name: 'a set is taken', edited: take(choice([1]), ofBlocks([5, 4])), is: choice([4, 5]) },
  {
    name: 'but for protected blocks',
    edited: take(choice([1], {}, [4]), ofBlocks([5, 4])),
    is: choice([5], {}, [4]),
  },
  {
    name: 'protecting keeps what was dropped',
    edited: protect(choice([1, 2], { mlp: [3] }), [2, 3], true),
    is: choice([1], {}, [2, 3]),
  },
  { name: 'and can be taken back', edited: protect(choice([1], {}, [2, 3]), [3], false), is: choice([1], {}, [2]) },
  {
    name: 'a remembered choice loses what the model does not have',
    edited: fitting(choice([1, 9, -1, 1.5, 0], { mlp: [8, 2], attention: [0] }, [9, 0]), 5),
    is: choice([1], { mlp: [2] }, [0]),
  },
];

describe('the choice', () => {
  it.each(edits)('$name', ({ edited, is }) => expect(edited).toEqual(is));

  it('has one key for equal sets, and others for others', () => {
    const same = [ofBlocks([2, 1, 1]), { ...emptyDropSet, blocks: [1], attention: [2], mlp: [2] }].map((it) =>
      keyOf(normalized(it)),
    );
    expect(new Set(same).size).toBe(1);
    const others = [
      emptyDropSet,
      ofBlocks([1]),
      { ...emptyDropSet, mlp: [1] },
      { ...emptyDropSet, attention: [1] },
      ofBlocks([11]),
    ];
    expect(new Set(others.map(keyOf)).size).toBe(others.length);
  });

  it('counts spans from their first block', () => expect(span(3, 2)).toEqual([3, 4]));
});

describe('the history', () => {
  const abc = change(change(begin('a'), 'b'), 'c');
  const rows = [
    { name: 'undo gives the one before', history: undo(abc), is: { past: ['a'], present: 'b', future: ['c'] } },
    { name: 'twice', history: undo(undo(abc)), is: { past: [], present: 'a', future: ['b', 'c'] } },
    {
      name: 'and then nothing more',
      history: undo(undo(undo(abc))),
      is: { past: [], present: 'a', future: ['b', 'c'] },
    },
    { name: 'redo takes it back', history: redo(undo(abc)), is: { past: ['a', 'b'], present: 'c', future: [] } },
    { name: 'redo of nothing is nothing', history: redo(abc), is: abc },
    {
      name: 'a change ends what could be redone',
      history: change(undo(abc), 'd'),
      is: { past: ['a', 'b'], present: 'd', future: [] },
    },
  ];
  it.each(rows)('$name', ({ history, is }) => expect(history).toEqual(is));

  it('does not grow without end', () => {
    let history = begin(0);
    for (let i = 1; i <= 1000; i++) history = change(history, i);
    expect(history.past.length).toBe(200);
    expect(history.past.at(-1)).toBe(999);
  });
});
