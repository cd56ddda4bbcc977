// Pictures of the panels for people to look at, made into the folder that ESPALIER_SCREENS names: the tiny model and, where
// it is there, the real one, in each theme; wide in the workbench, and the panel alone at 500 pixels.
import { cpSync, existsSync, linkSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFolder, repoRoot } from '../fixtures';
import { openChooseBlocks } from './steps';
import { copyStories } from './stories';
import { packagedExtension } from './vsix';
import { themeNames, type WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const folder = resolve(repoRoot, process.env.ESPALIER_SCREENS ?? 'screens');
const real = 'smollm2-135m';

const models = [
  { model: 'stories260k', prefix: 'stories260k-', drop: [1], windows: 8, tokens: 256 },
  // Few and short windows: searches over thirty blocks would take a quarter of an hour otherwise.
  { model: real, prefix: '', drop: [12, 13, 14, 15, 16], windows: 2, tokens: 64 },
].filter(({ model }) => existsSync(modelFolder(model)));

describe.each(models)('pictures of $model', ({ model, prefix, drop, windows, tokens }) => {
  let workbench: Workbench;
  let window: WorkbenchWindow;
  const settings = { 'espalier.analysis.windows': windows, 'espalier.analysis.tokensPerWindow': tokens };

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    const fill = (workspace: string) => {
      copyStories(workspace);
      if (model === real) copyReal(workspace);
    };
    workbench = await startWorkbench({ vsix: packagedExtension(), fill, settings });
    window = await workbench.openWindow();
    await openChooseBlocks(window, model);
    await widenSideBar(window);
  }, 240_000);
  afterAll(() => workbench?.end());

  const blocksOfTree = () => window.row('Models', /Blocks/).locator('.monaco-tl-twistie');
  const picture = (name: string) => join(folder, `${prefix}${name}.png`);

  const wide = async (name: string) => {
    for (const theme of themeNames) {
      await window.choose(theme);
      await resizeTo(window, 1440, 1000);
      await settled(window.panel.locator('main'));
      await window.page.screenshot({ path: picture(`${name}-${theme}-wide`) });
    }
    await window.choose('dark');
  };

  const narrow = async (name: string) => {
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
  };

  it('of blocks being chosen', { timeout: 600_000 }, async () => {
    const { panel } = window;
    await panel.locator('#analyze').click();
    await window.pick('tinystories.txt');
    await panel.locator('#running').waitFor();
    await panel.locator('#running').waitFor({ state: 'detached', timeout: 500_000 });
    await window.showContainer('Espalier');
    await window.row('Models', model).first().locator('.monaco-tl-twistie').click();
    for (const block of drop) await panel.locator(`#spine tr[data-block="${block}"] td.trunk`).click();
    await panel.locator('#facts dt', { hasText: 'Loss, measured' }).waitFor({ timeout: 60_000 });
    await blocksOfTree().click();
    await window.row('Models', /Block 0/).waitFor();
    await wide('choose');
    await narrow('choose');
    await blocksOfTree().click();
  });

  it('of a pruned model being tried, and of its run', { timeout: 300_000 }, async () => {
    const { panel } = window;
    await panel.locator('#prune').click();
    await window.input.waitFor();
    await window.page.keyboard.press('Enter');
    await panel.locator('#pruned', { hasText: 'Written to' }).waitFor({ timeout: 120_000 });
    await window.row('Models', /^Without/).waitFor();
    await wide('explorer');
    await panel.locator('#try').click();
    await panel.locator('#generate').click();
    await panel.locator('section.model .speed', { hasText: 'tokens/s' }).nth(1).waitFor({ timeout: 120_000 });
    await wide('try');
    await narrow('try');
    await window.row('Runs', /Prune/).first().click();
    await panel.locator('#run-page #state', { hasText: 'Done' }).waitFor();
    await wide('run');
    await narrow('run');
    expect(readdirSync(folder).length).toBeGreaterThanOrEqual(18);
  });

  it.skipIf(model === real)('of the pruned model being healed', { timeout: 300_000 }, async () => {
    const { panel } = window;
    await window.chooseFromMenu(window.row('Models', /^Without/).first(), 'Heal Model…');
    await panel.locator('#choose-text').click();
    await window.pick('tinystories.txt');
    await panel.locator('#text-name', { hasText: 'tinystories.txt' }).waitFor();
    for (const [field, value] of [
      ['tokens', '128'],
      ['steps', '300'],
      ['learningRate', '0.003'],
    ] as const) {
      await panel.locator(`#${field}`).fill(value);
      await panel.locator(`#${field}`).press('Tab');
    }
    await panel.locator('#plan', { hasText: /GB memory/ }).waitFor();
    await panel.locator('#start').click();
    await window.input.waitFor();
    await window.page.keyboard.press('Enter');
    await panel.locator('#lead dd', { hasText: /^1[5-9]\d of 300/ }).waitFor({ timeout: 120_000 });
    await panel.locator('#pause').click();
    await panel.locator('#run-state', { hasText: 'Paused' }).waitFor();
    await wide('heal');
    await narrow('heal');
    await panel.locator('#stop').click();
    await panel.locator('#run-state', { hasText: 'Finished' }).waitFor({ timeout: 60_000 });
  });
});

/** So that the rows of the trees are seen to their ends. */
async function widenSideBar({ page }: WorkbenchWindow): Promise<void> {
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

/** Linked, not copied, where the disk allows it. */
function copyReal(workspace: string): void {
  const [from, to] = [modelFolder(real), join(workspace, real)];
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    try {
      linkSync(join(from, name), join(to, name));
    } catch {
      cpSync(join(from, name), join(to, name));
    }
  }
}
