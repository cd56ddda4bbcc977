// The checklists of CONTRIBUTING.md are held to the code: every file that one names exists, every table in it stands there,
// and no list names more files than its title allows.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repoRoot } from '../fixtures';

interface Checklist {
  readonly title: string;
  /** The most files that it may name. */
  readonly nFiles: number;
  readonly text: string;
}

/** The lists below "How to add", each under a bold title such as **A metric** (1 file). */
function checklistsOf(markdown: string): Checklist[] {
  const [, section = ''] = /^## How to add$([\s\S]*?)^## /m.exec(markdown) ?? [];
  return [...section.matchAll(/^\*\*(.+?)\*\* \((?:at most )?(\d+) files?.*\)$([\s\S]*?)(?=^\*\*|(?![\s\S]))/gm)].map(
    ([, title, nFiles, text]) => ({ title: title!, nFiles: Number(nFiles), text: text! }),
  );
}

const namedPlaces = (text: string) =>
  [...text.matchAll(/`((?:server|extension|webview|test|docs)\/[\w/.-]+)`(?: \(`(\w+)`\))?/g)].map(
    ([, path, table]) => ({
      path: path!,
      table,
    }),
  );

/** What is wrong with a list, in sentences. */
function problemsOf({ title, nFiles, text }: Checklist): string[] {
  const places = namedPlaces(text);
  const missing = places
    .filter(({ path }) => !existsSync(join(repoRoot, path)))
    .map(({ path }) => `${title}: there is no ${path}`);
  const without = places
    .filter(({ path, table }) => table && existsSync(join(repoRoot, path)))
    .filter(({ path, table }) => !new RegExp(`\\b${table}\\b`).test(readFileSync(join(repoRoot, path), 'utf8')))
    .map(({ path, table }) => `${title}: ${path} has no ${table}`);
  const tables = new Set(
    places.filter(({ path, table }) => table && !path.startsWith('test/')).map(({ path }) => path),
  );
  const tooMany = tables.size > nFiles ? [`${title}: names ${tables.size} files, its title says ${nFiles}`] : [];
  return [...missing, ...without, ...tooMany];
}

const checklists = checklistsOf(readFileSync(join(repoRoot, 'CONTRIBUTING.md'), 'utf8'));

describe('the checklists of CONTRIBUTING.md', () => {
  it('are there for everything that grows', () => {
    expect(checklists.map(({ title }) => title)).toEqual([
      'An op',
      'A family of a known form',
      'A block of another form',
      'A class of tokenizers',
      'An importance method',
      'A metric',
      'A task',
      'A kind of recipe',
      'A check of the proof',
      'A licence with rules of its own',
      'Work that is swept by faults',
      'An option of healing',
      'A command of the editor',
      'A page',
    ]);
  });

  it.each(checklists)('$title: names what is there', (checklist) => {
    expect(namedPlaces(checklist.text).some(({ table }) => table)).toBe(true);
    expect(problemsOf(checklist)).toEqual([]);
  });

  it('would be found wrong where they name what is not there', () => {
    const text = '- `server/nowhere.ts` (`rows`), `server/cli.ts` (`noSuchTable`), `server/main.ts` (`import`)';
    expect(problemsOf({ title: 'A thing', nFiles: 1, text })).toEqual([
      'A thing: there is no server/nowhere.ts',
      'A thing: server/cli.ts has no noSuchTable',
      'A thing: names 3 files, its title says 1',
    ]);
  });
});
