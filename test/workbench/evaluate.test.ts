// Evaluating in a real workbench: a model and two variants on a handful of questions, from the form to the table, its
// charts and its files; a reload of the window brings all of it back. The tests are one story; each goes on from the last.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repoRoot } from '../fixtures';
import { copyStories } from './stories';
import { packagedExtension, workbenchAvailable } from './vsix';
import { themeNames, type WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const screens = process.env.ESPALIER_SCREENS;

describe.skipIf(!workbenchAvailable())('evaluating models in the editor', () => {
  let workbench: Workbench;
  let window: WorkbenchWindow;

  beforeAll(async () => {
    workbench = await startWorkbench({ vsix: packagedExtension(), fill });
    window = await workbench.openWindow();
  }, 240_000);
  afterAll(() => workbench?.end());

  const cells = async (row: string) =>
    (await window.panel.locator(`#scores tr[data-row="${row}"]`).innerText()).replace(/\s+/g, ' ').trim();
  const picture = async (name: string) => {
    if (!screens) return;
    mkdirSync(screens, { recursive: true });
    for (const theme of themeNames) {
      await window.choose(theme);
      await window.page.screenshot({ path: join(screens, `${name}-${theme}.png`) });
    }
    await window.choose('dark');
  };

  it('offers Evaluate Model… on a model folder, and opens its form', async () => {
    await window.showContainer('Espalier');
    await window.row('Models', 'Without 1').waitFor({ timeout: 60_000 });
    await window.showContainer('Explorer');
    await window.chooseFromMenu(window.file('stories260k'), 'Evaluate Model…');
    await window.panel.locator('#form').waitFor();
    expect(await window.panel.locator('#models li').count()).toBe(1);
    expect(await window.panel.locator('#data-folder').textContent()).toBe('Hugging Face’s cache');
    expect(await window.panel.locator('#missing-data').textContent()).toContain('hellaswag');
  });

  it('adds the variants that were found under the original', async () => {
    await window.panel.locator('#add-variant').click();
    await window.input.waitFor();
    for (const name of ['Without 1', 'Without 2']) await window.inputRows.filter({ hasText: name }).first().click();
    await window.page.keyboard.press('Enter');
    await window.panel.locator('#models li').nth(2).waitFor();
  });

  it('asks for the data once, and plans', async () => {
    await window.panel.locator('#choose-data').click();
    await window.chooseFolder(join(workbench.workspace, 'benchmarks'), 'hellaswag');
    await window.panel.locator('#data-folder', { hasText: 'benchmarks' }).waitFor();
    for (const task of ['arc_challenge', 'boolq', 'piqa', 'winogrande', 'openbookqa', 'lambada_openai'])
      await window.panel.locator(`#task-${task}`).click();
    await window.panel.locator('#items').fill('8');
    await window.panel.locator('#items').press('Tab');
    await window.panel.locator('#plan', { hasText: /memory/ }).waitFor({ timeout: 60_000 });
    await picture('evaluate-form');
  });

  it('starts by the mouse, and fills its table', async () => {
    await window.panel.locator('#start').click();
    await window.panel.locator('#evaluate').waitFor({ timeout: 120_000 });
    await window.panel.locator('#scores tr[data-row="arc_easy"]').waitFor();
    expect(await window.panel.locator('th.variant bdi').allTextContents()).toEqual(['Without 1', 'Without 2']);
    for (const task of ['hellaswag', 'arc_easy'])
      expect(await cells(task)).toMatch(/ 0 8 \d+\.\d \d+\.\d [+−]?\d+\.\d ± \d+\.\d .*\d+\.\d [+−]?\d+\.\d ± \d+\.\d/);
    await window.showContainer('Espalier');
    await window.row('Runs', 'Evaluate stories260k').waitFor();
  });

  it('draws the difference of each variant with its interval', async () => {
    for (const task of ['hellaswag', 'arc_easy', 'mean']) {
      const dots = window.panel.locator(`#scores tr[data-row="${task}"] .dots`);
      expect(await dots.locator('path').count()).toBe(2);
      expect(await dots.locator('line.interval').count()).toBe(2);
    }
    expect(await window.panel.locator('#settings').textContent()).toContain('the first 8 of each task');
    await picture('evaluate');
  });

  it('sorts, filters and tells more of a row', async () => {
    const heading = window.panel.locator('#scores th[aria-sort]').first();
    await heading.locator('button').click();
    await window.panel.locator('#scores th[aria-sort="ascending"]').waitFor();
    expect(await window.panel.locator('#scores tbody tr').first().getAttribute('data-row')).toBe('arc_easy');
    await window.panel.locator('#filter').fill('hella');
    await window.panel.locator('#scores tr[data-row="arc_easy"]').waitFor({ state: 'detached' });
    await window.panel.locator('#scores tr[data-row="hellaswag"] td').nth(1).click();
    await window.panel.locator('tr.details', { hasText: 'accuracy by length' }).waitFor();
    await window.panel.locator('#filter').fill('');
  });

  it('saves its numbers as CSV', async () => {
    const file = join(workbench.workspace, 'stories260k-evaluation.csv');
    await window.panel.locator('#save-csv').click();
    await window.input.waitFor();
    await window.page.keyboard.press('Enter');
    await window.panel.locator('[role="status"]', { hasText: 'stories260k-evaluation.csv' }).waitFor();
    expect(readFileSync(file, 'utf8').split('\n').filter(Boolean)).toHaveLength(1 + 2 * 2 * 3);
  });

  it('comes back after a reload of the window', async () => {
    const before = await cells('hellaswag');
    await window.reload();
    await window.panel.locator('#scores tr[data-row="hellaswag"]').waitFor({ timeout: 60_000 });
    expect(await cells('hellaswag')).toBe(before);
  });

  it('is opened again from the view of runs', async () => {
    const before = await cells('hellaswag');
    await window.command('View: Close Editor');
    await window.showContainer('Espalier');
    await window.row('Runs', 'Evaluate stories260k').click();
    await window.panel.locator('#scores tr[data-row="hellaswag"]').waitFor();
    expect(await cells('hellaswag')).toBe(before);
  });

  it('compares several models that are selected, the original first', async () => {
    await window.command('View: Close Editor');
    await window.row('Models', 'Without 2').click({ modifiers: ['ControlOrMeta'] });
    await window
      .row('Models', 'stories260k')
      .first()
      .click({ modifiers: ['ControlOrMeta'] });
    await window.chooseFromMenu(window.row('Models', 'Without 2'), 'Compare Models…');
    await window.panel.locator('#models li').nth(1).waitFor();
    const named = await window.panel.locator('#models li bdi').allTextContents();
    expect(named[0]).toMatch(/^stories260/i);
    expect(named[1]).toContain('without 2');
    expect(await window.panel.locator('#data-folder').textContent()).toContain('benchmarks');
  });

  it('refused nothing under the policy and failed nowhere on the way', () => {
    const log = workbench.ourLog();
    expect(log).toMatch(/page evaluate painted/);
    expect(log).not.toMatch(/policy violation|page \w+ error/);
    expect(window.ourProblems()).toEqual([]);
  });
});

/** The tiny model, two variants of it, and a few questions that it may answer. */
function fill(workspace: string): void {
  copyStories(workspace);
  const model = join(workspace, 'stories260k');
  for (const block of ['1', '2'])
    execFileSync(
      process.execPath,
      [
        join(repoRoot, 'dist/espalier.cjs'),
        'prune',
        model,
        '--drop',
        block,
        '--out',
        join(workspace, `without-${block}`),
        '--quiet',
      ],
      { stdio: 'pipe' },
    );
  const write = (path: string, items: readonly object[]) => {
    const file = join(workspace, 'benchmarks', path);
    if (!existsSync(dirname(file))) mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  };
  const toys = ['ball', 'doll', 'car', 'kite', 'boat', 'drum', 'book', 'hat', 'bear', 'train'];
  write(
    'hellaswag/hellaswag_val.jsonl',
    toys.map((toy, ind) => ({
      ind,
      ctx: `Playing: Lily has a red ${toy}. She takes the ${toy} to the park. she`,
      label: ind % 4,
      endings: [0, 1, 2, 3].map((k) =>
        k === ind % 4 ? `plays with the ${toy} all day.` : `eats ${k + 2} loud numbers of rain.`,
      ),
    })),
  );
  write(
    'llm-foundry-icl/arc_easy.jsonl',
    toys.map((toy, gold) => ({
      query: `Question: What does Tom like to do with his ${toy}?`,
      choices: [0, 1, 2, 3].map((k) =>
        k === gold % 4 ? `He likes to play with his ${toy}.` : `He boils ${k + 3} metals.`,
      ),
      gold: gold % 4,
    })),
  );
}
