// A workspace by somebody who wishes us ill, opened and used like any other: its names and texts are shown, and nothing of
// them runs; its settings name a program and folders, and neither is touched.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillHostile, hostileName, trace } from './hostile';
import { packagedExtension, workbenchAvailable } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

describe.skipIf(!workbenchAvailable())('a hostile workspace', () => {
  let workbench: Workbench;
  let window: WorkbenchWindow;

  beforeAll(async () => {
    workbench = await startWorkbench({ vsix: packagedExtension(), fill: fillHostile });
    window = await workbench.openWindow();
  }, 240_000);
  afterAll(() => workbench?.end());

  it('is measured like any other, its name shown as text', async () => {
    await window.showContainer('Espalier');
    await window.row('Models', '<img').first().waitFor({ timeout: 60_000 });
    await window.command('Espalier: Prune Model…');
    await window.pick('<img');
    const { panel } = window;
    await panel.locator('#empty').waitFor();
    expect(await panel.locator('header .text').textContent()).toContain(hostileName);
    await panel.locator('#analyze').click();
    await window.pick('TinyStories');
    await panel.locator('#blocks tr[data-block="4"] td.cost', { hasText: /[+−]\d/ }).waitFor({ timeout: 90_000 });
  });

  it('writes its text into the panel of a prompt, as text', async () => {
    await window.command('Espalier: Try Model');
    await window.pick('<img');
    // Until then the page before it is the one in view.
    await window.panel.locator('#try-page').waitFor();
    await window.panel.locator('#generate').click();
    await window.panel.locator('main', { hasText: /tokens\/s/ }).waitFor({ timeout: 60_000 });
  });

  it('ran no script, started no program and broke no policy', async () => {
    for (const frame of window.page.frames())
      expect(await frame.evaluate((name) => name in globalThis, trace).catch(() => false), frame.url()).toBe(false);
    expect(existsSync(join(workbench.workspace, trace))).toBe(false);
    expect(workbench.ourLog()).not.toMatch(/policy violation|page \w+ error/);
    expect(window.ourProblems()).toEqual([]);
  });
});
