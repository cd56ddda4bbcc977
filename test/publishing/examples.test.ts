// The cards in docs/cards are what the reports beside them say, and name no place of the machine that made them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readReports } from '../../server/recipes/reportFiles';
import { repoRoot } from '../fixtures';
import { numbersOf, strangeNumbers } from './cardNumbers';

const folder = join(repoRoot, 'docs/cards');
const files = readdirSync(join(folder, 'reports')).map((name) => join(folder, 'reports', name));
const reports = files.map((file) => readFileSync(file, 'utf8'));
/** As a card reads it; what is no report of a run is taken as it is. */
const sourceOf = (file: string): Promise<unknown> =>
  /(inspect|espalier)-\w+\.json$/.test(file)
    ? Promise.resolve(JSON.parse(readFileSync(file, 'utf8')))
    : readReports([file]);
const cards = readdirSync(folder).filter((name) => name.endsWith('.md') && name !== 'README.md');

describe.each(cards)('the card %s', (name) => {
  const card = readFileSync(join(folder, name), 'utf8');

  it('has no number that is in no report', async () => {
    expect(numbersOf(card).length).toBeGreaterThan(10);
    const sources = await Promise.all(files.map(sourceOf));
    expect(strangeNumbers(card, sources)).toEqual([]);
  });

  it('names no place of a machine', () => {
    for (const text of [card, ...reports]) expect(text).not.toMatch(/(^|[^\w.:/])\/(home|root|tmp|work|Users|var)\//m);
  });
});

it('there are three of them', () => expect(cards.sort()).toEqual(['adapter.md', 'healed.md', 'pruned.md']));
