// Healing in a real workbench: the curve moves while the run goes on, a reload of the window brings all of it back, and the
// mouse pauses and continues it. The tests are one story; each goes on from the last.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyStories } from './stories';
import { packagedExtension, workbenchAvailable } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

describe.skipIf(!workbenchAvailable())('healing a model in the editor', () => {
  let workbench: Workbench;
  let window: WorkbenchWindow;

  beforeAll(async () => {
    workbench = await startWorkbench({ vsix: packagedExtension(), fill: copyStories });
    window = await workbench.openWindow();
  }, 240_000);
  afterAll(() => workbench?.end());

  /** How many steps the page says are done. */
  const nDone = async (): Promise<number> => {
    const text = await window.panel.locator('#lead dl > div', { hasText: 'Step' }).locator('dd').textContent();
    return Number(/^(\d+) of/.exec(text!)![1]);
  };
  const state = (text: string) => window.panel.locator('#run-state', { hasText: text }).waitFor({ timeout: 60_000 });
  const field = async (id: string, value: number) => {
    await window.panel.locator(`#${id}`).fill(String(value));
    await window.panel.locator(`#${id}`).press('Tab');
  };

  it('offers Heal Model… on a model folder, and opens its form', async () => {
    await window.file('stories260k').waitFor({ timeout: 60_000 });
    await window.showContainer('Espalier');
    await window.row('Models', 'stories260k').first().waitFor({ timeout: 60_000 });
    await window.showContainer('Explorer');
    await window.chooseFromMenu(window.file('stories260k'), 'Heal Model…');
    await window.panel.locator('#form').waitFor();
    expect(await window.panel.locator('#text-name').textContent()).toBe('no text yet');
  });

  it('plans what it would cost once a text is chosen', async () => {
    await window.panel.locator('#choose-text').click();
    await window.pick('tinystories.txt');
    await window.panel.locator('#text-name', { hasText: 'tinystories.txt' }).waitFor();
    await field('tokens', 128);
    await field('steps', 4000);
    expect(await window.panel.locator('#steps').inputValue()).toBe('4000');
    await window.panel.locator('#plan', { hasText: /GB memory, .* tokens/ }).waitFor();
  });

  it('starts, and its curve moves while it goes on', async () => {
    // Before the badge of a run covers its icon.
    await window.showContainer('Espalier');
    await window.panel.locator('#start').click();
    await window.input.waitFor();
    await window.page.keyboard.press('Enter');
    await state('Running');
    await expect.poll(nDone).toBeGreaterThan(3);
    expect(await window.panel.locator('#settings').textContent()).toContain('4000');
    const before = await nDone();
    const picture = () => window.panel.locator('#loss').screenshot();
    const pictured = await picture();
    await expect.poll(nDone).toBeGreaterThan(before + 3);
    expect((await picture()).equals(pictured)).toBe(false);
    await window.row('Runs', 'Heal stories260k').waitFor();
  });

  it('is paused by the mouse, and then nothing moves', async () => {
    await window.panel.locator('#pause').click();
    await state('Paused');
    await window.row('Runs', /Heal stories260k.*paused at/).waitFor();
    const pause = () => new Promise((resolve) => setTimeout(resolve, 1500));
    await pause(); // the page draws the last steps in a batch of their own
    const before = await nDone();
    await pause();
    expect(await nDone()).toBe(before);
  });

  it('comes back with its whole curve after a reload of the window', async () => {
    const before = await nDone();
    const label = await window.panel.locator('#loss').getAttribute('aria-label');
    await window.reload();
    await window.panel.locator('#run-state', { hasText: 'Paused' }).waitFor({ timeout: 60_000 });
    await expect.poll(nDone).toBe(before);
    expect(await window.panel.locator('#loss').getAttribute('aria-label')).toBe(label);
  });

  it('goes on by the mouse, and stops and saves', async () => {
    const before = await nDone();
    await window.panel.locator('#continue').click();
    await state('Running');
    await expect.poll(nDone).toBeGreaterThan(before);
    await window.panel.locator('#stop').click();
    await state('Finished');
    expect(await window.panel.locator('#recovered').count()).toBe(1);
    expect(existsSync(join(workbench.workspace, 'stories260k-adapter', 'adapter_config.json'))).toBe(true);
  });

  it('is opened again from the view of runs, with its curve', async () => {
    const before = await nDone();
    await window.command('View: Close Editor');
    await window.row('Runs', 'Heal stories260k').click();
    await state('Finished');
    await expect.poll(nDone).toBe(before);
  });

  it('refused nothing under the policy and failed nowhere on the way', () => {
    const log = workbench.ourLog();
    expect(log).toMatch(/page heal painted/);
    expect(log).not.toMatch(/policy violation|page \w+ error/);
    expect(window.ourProblems()).toEqual([]);
  });
});
