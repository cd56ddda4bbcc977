// How pictures of panels are taken: in each theme, wide in the workbench, and the panel alone at 500 pixels.
import { cpSync, linkSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { modelFolder } from '../fixtures';
import { themeNames, type WorkbenchWindow } from './window';

export function picturesOf(windowNow: () => WorkbenchWindow, picture: (name: string) => string) {
  return {
    async wide(name: string) {
      const window = windowNow();
      for (const theme of themeNames) {
        await window.choose(theme);
        await resizeTo(window, 1440, 1000);
        await settled(window.panel.locator('main'));
        await window.page.screenshot({ path: picture(`${name}-${theme}-wide`) });
      }
      await window.choose('dark');
    },
    async narrow(name: string) {
      const window = windowNow();
      await window.command('View: Toggle Primary Side Bar Visibility');
      for (const theme of themeNames) {
        await window.choose(theme);
        await resizeTo(window, 500 + (await besidePanel(window)), 1480);
        await settled(window.panel.locator('main'));
        await window.panelFrame.screenshot({ path: picture(`${name}-${theme}-narrow`) });
      }
      await resizeTo(window, 1440, 1000);
      await window.command('View: Toggle Primary Side Bar Visibility');
      await window.choose('dark');
    },
  };
}

/** So that the rows of the trees are seen to their ends. */
export async function widenSideBar({ page }: WorkbenchWindow): Promise<void> {
  const box = (await page.locator('.part.sidebar').boundingBox())!;
  const [x, y] = [box.x + box.width + 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 90, y, { steps: 4 });
  await page.mouse.up();
}

async function resizeTo({ page }: WorkbenchWindow, width: number, height: number): Promise<void> {
  await page.setViewportSize({ width, height });
  await page.mouse.move(width / 2, 2);
}

/** The width of all that stands beside the panel. */
async function besidePanel({ page, panelFrame }: WorkbenchWindow): Promise<number> {
  return page.viewportSize()!.width - (await panelFrame.boundingBox())!.width;
}

/** Until two looks in a row are the same: themes and sizes reach a page some frames after the workbench. */
async function settled(main: Locator): Promise<void> {
  let last: Buffer | null = null;
  for (let look = 0; look < 20; look++) {
    const next = await main.screenshot();
    if (last?.equals(next)) return;
    last = next;
    await main.page().waitForTimeout(300);
  }
}

/** A model into the workspace: linked, not copied, where the disk allows it. */
export function linkModel(name: string, workspace: string): void {
  const [from, to] = [modelFolder(name), join(workspace, name)];
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    try {
      linkSync(join(from, name), join(to, name));
    } catch {
      cpSync(join(from, name), join(to, name));
    }
  }
}
