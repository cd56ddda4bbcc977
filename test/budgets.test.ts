// The table at the end of a test run: every folder of tests has a budget, and one that goes beyond it is named.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { budgets, costTable, tableLines } from '../scripts/test-table.mjs';
import { repoRoot } from './fixtures';

const results = (files: Record<string, number>) =>
  Object.entries(files).map(([name, n]) => ({ name, assertionResults: new Array(n).fill({}) }));
const costs = (files: Record<string, number>) =>
  Object.entries(files).map(([file, processorSeconds]) => ({ file, seconds: 2 * processorSeconds, processorSeconds }));
const lines = (nTests: Record<string, number>, seconds: Record<string, number>) =>
  tableLines(costTable(results(nTests), costs(seconds), (file) => file));

describe('the budgets', () => {
  it('have a row for every folder of tests, and for no other', () => {
    const files = readdirSync(join(repoRoot, 'test'), { recursive: true, encoding: 'utf8' });
    const folders = files
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '.'));
    // Slow tests are no part of the usual run.
    expect(Object.keys(budgets).sort()).toEqual([...new Set(folders)].filter((it) => it !== 'long').sort());
  });
});

describe('the table', () => {
  it('adds up the files of a folder, those below it included, the dearest first', () => {
    const found = costTable(
      results({
        'test/model/a.test.ts': 2,
        'test/rpc/b.test.ts': 1,
        'test/rpc/deep/c.test.ts': 4,
        'test/d.test.ts': 1,
      }),
      costs({ 'test/model/a.test.ts': 10, 'test/rpc/b.test.ts': 20, 'test/rpc/deep/c.test.ts': 10 }),
      (file) => file,
    );
    expect(found).toEqual([
      { folder: 'rpc', nFiles: 2, nTests: 5, seconds: 60, processorSeconds: 30, percent: 75 },
      { folder: 'model', nFiles: 1, nTests: 2, seconds: 20, processorSeconds: 10, percent: 25 },
      { folder: '.', nFiles: 1, nTests: 1, seconds: 0, processorSeconds: 0, percent: 0 },
    ]);
  });

  it('names a folder that is over its budget, and one without a budget', () => {
    const files = { 'test/plan/a.test.ts': 1, 'test/surprise/b.test.ts': 1, 'test/workbench/c.test.ts': 1 };
    const found = lines(files, {
      'test/plan/a.test.ts': 9,
      'test/surprise/b.test.ts': 90,
      'test/workbench/c.test.ts': 1,
    });
    expect(found.slice(-2)).toEqual([
      'test/surprise has no budget; give it one in scripts/test-table.mjs.',
      `test/plan took 9.0 % of the processor time; its budget is ${budgets.plan} %.`,
    ]);
    const workbench = lines({ 'test/workbench/c.test.ts': 1 }, { 'test/workbench/c.test.ts': 0 });
    expect(workbench.at(-1)).toMatch(/^all +1 +1 +0 +0 +100\.0 %$/);
  });
});
