// Pictures of the panels for people to look at, made only when ESPALIER_SCREENS names a folder for them: the tiny model and,
// where it is there, the real one, in each theme, wide and narrow.
import { cpSync, existsSync, linkSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFolder } from '../fixtures';
import { openChooseBlocks } from './steps';
import { copyStories } from './stories';
import { packagedExtension } from './vsix';
import { themeNames, type WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const folder = process.env.ESPALIER_SCREENS ?? '';
const real = 'smollm2-135m';

const models = [
  { model: 'stories260k', drop: [1], windows: 8, tokens: 256 },
  { model: real, drop: [12, 13, 14, 15, 16], windows: 2, tokens: 64 },
].filter(({ model }) => existsSync(modelFolder(model)));

describe.each(models)('pictures of $model', ({ model, drop, windows, tokens }) => {
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
  }, 240_000);
  afterAll(() => workbench?.end());

  const shoot = async (name: string) => {
    for (const theme of themeNames) {
      await window.choose(theme);
      for (const width of [1340, 850]) {
        await window.page.setViewportSize({ width, height: 1000 });
        await window.page.mouse.move(0, 0);
        await window.page.waitForTimeout(700); // the theme reaches the page, and the charts their size
        const size = width > 1000 ? 'wide' : 'narrow';
        await window.page.screenshot({ path: join(folder, `${name}-${theme}-${size}.png`) });
      }
    }
    await window.page.setViewportSize({ width: 1340, height: 1000 });
    await window.choose('dark');
  };

  it('of blocks being chosen', { timeout: 600_000 }, async () => {
    const { panel } = window;
    await panel.locator('#empty').waitFor();
    await shoot(`${model}-empty`);
    await panel.locator('#analyze').click();
    await window.pick('tinystories.txt');
    await panel.locator('#running').waitFor();
    await panel.locator('#running').waitFor({ state: 'detached', timeout: 500_000 });
    for (const block of drop) await panel.locator(`#spine tr[data-block="${block}"] td.trunk`).click();
    await panel.locator('#facts dt', { hasText: 'Loss, measured' }).waitFor({ timeout: 60_000 });
    await shoot(`${model}-choose`);
    expect(readdirSync(folder).length).toBeGreaterThan(6);
  });

  it('of a pruned model being tried, and of its run', { timeout: 300_000 }, async () => {
    const { panel } = window;
    await panel.locator('#prune').click();
    await window.input.waitFor();
    await window.page.keyboard.press('Enter');
    await panel.locator('#pruned', { hasText: 'Written to' }).waitFor({ timeout: 120_000 });
    await window.showContainer('Espalier');
    await shoot(`${model}-explorer`);
    await panel.locator('#try').click();
    await window.panel.locator('#generate, button').first().waitFor();
    await shoot(`${model}-try`);
    await window.row('Runs', /Prune/).first().click();
    await window.panel.locator('main').waitFor();
    await shoot(`${model}-run`);
  });
});

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
