// Against what Python says of the same strings; test/fixtures/evaluation/make_python.py asked it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as python from '../../../server/evaluation/tasks/pythonText';
import { repoRoot } from '../../fixtures';

interface Facts {
  spaces: number[];
  texts: {
    text: string;
    strip: string;
    lstrip: string;
    rstrip: string;
    capitalize: string;
    length: number;
    split: string[];
  }[];
  letters: string;
  titles: string[];
}
const facts = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/evaluation/python.json'), 'utf8')) as Facts;

describe('strings are what Python makes of them', () => {
  const rows = facts.texts.map((row) => ({ ...row, name: JSON.stringify(row.text) }));
  const ours = (text: string) => ({
    strip: python.strip(text),
    lstrip: python.lstrip(text),
    rstrip: python.rstrip(text),
    capitalize: python.capitalize(text),
    length: python.length(text),
    split: python.splitAtSpaces(text),
  });

  it.each(rows)('$name', ({ text, strip, lstrip, rstrip, capitalize, length, split }) => {
    expect(ours(text)).toEqual({ strip, lstrip, rstrip, capitalize, length, split });
  });

  it('every letter has the same title', () => {
    expect([...facts.letters].map(python.capitalize)).toEqual(facts.titles);
  });

  it('white space is the same characters', () => {
    const one = new RegExp(`^${python.anySpace}$`);
    const spaces = Array.from({ length: 0xffff }, (_, c) => c).filter((c) => one.test(String.fromCharCode(c)));
    expect(spaces).toEqual(facts.spaces);
  });

  it.each([
    ['aaa', 'aa', 'b', 'ba'],
    ['a b', ' ', '$&', 'a$&b'],
    ['a   b', '  ', ' ', 'a  b'],
  ])('replaces once and from the left: %j, %j by %j', (text, old, by, expected) => {
    expect(python.replace(text, old, by)).toBe(expected);
  });
});
