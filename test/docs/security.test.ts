// Every promise of SECURITY.md names the tests that hold it, and they exist.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repoRoot } from '../fixtures';

interface Promised {
  readonly promise: string;
  readonly heldBy: string;
}

/** The rows of all tables below "promise | held by". */
const promisesOf = (markdown: string): Promised[] =>
  [...markdown.matchAll(/^\| promise \| held by \|\n\|[-|]+\|\n((?:\|.*\|\n?)+)/gm)].flatMap(([, rows]) =>
    rows!
      .trim()
      .split('\n')
      .map((row) => row.split(' | '))
      .map(([promise, ...rest]) => ({ promise: promise!.slice(2), heldBy: rest.join(' | ') })),
  );

const testsIn = (text: string) => [...text.matchAll(/`(test\/[\w/.-]+)`/g)].map(([, path]) => path!);

/** What is wrong with the tables, in sentences. */
function problemsOf(markdown: string): string[] {
  const promises = promisesOf(markdown);
  const unheld = promises
    .filter(({ heldBy }) => testsIn(heldBy).length === 0 && !heldBy.startsWith('the same'))
    .map(({ promise }) => `no test holds: ${promise}`);
  const missing = testsIn(markdown)
    .filter((path) => !existsSync(join(repoRoot, path)))
    .map((path) => `there is no ${path}`);
  return [...unheld, ...missing];
}

describe('SECURITY.md', () => {
  const markdown = readFileSync(join(repoRoot, 'SECURITY.md'), 'utf8');

  it('promises much', () => expect(promisesOf(markdown).length).toBeGreaterThan(15));

  it('names tests that exist', () => expect(problemsOf(markdown)).toEqual([]));

  it('is looked at', () => {
    const table =
      '| promise | held by |\n|---|---|\n| One. | `test/none.test.ts` |\n| Two. | nothing |\n| Three. | the same |\n';
    expect(problemsOf(table)).toEqual(['no test holds: Two.', 'there is no test/none.test.ts']);
  });
});
