// Pictures of the panels for people to look at, made into the folder that ESPALIER_SCREENS names: the tiny model and, where
// it is there, the real one, in each theme; wide in the workbench, and the panel alone at 500 pixels.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFolder, repoRoot } from '../fixtures';
import { linkModel, picturesOf, widenSideBar } from './pictures';
import { openChooseBlocks } from './steps';
import { copyStories } from './stories';
import { packagedExtension } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const folder = resolve(repoRoot, process.env.ESPALIER_SCREENS ?? 'screens');
const real = 'smollm2-135m';

const models = [
  { model: 'stories260k', prefix: 'stories260k-', drop: [1], sequences: 8, tokens: 256 },
  // Few and short sequences: searches over thirty blocks would take a quarter of an hour otherwise.
  { model: real, prefix: '', drop: [12, 13, 14, 15, 16], sequences: 2, tokens: 64 },
].filter(({ model }) => existsSync(modelFolder(model)));

describe.each(models)('pictures of $model', ({ model, prefix, drop, sequences, tokens }) => {
  let workbench: Workbench;
  let window: WorkbenchWindow;
  const settings = { 'espalier.analysis.sequences': sequences, 'espalier.analysis.tokensPerSequence': tokens };

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    const fill = (workspace: string) => {
      copyStories(workspace);
      if (model === real) linkModel(real, workspace);
    };
    workbench = await startWorkbench({ vsix: packagedExtension(), fill, settings });
    window = await workbench.openWindow();
    await openChooseBlocks(window, model);
    await widenSideBar(window);
  }, 240_000);
  afterAll(() => workbench?.end());

  const blocksOfTree = () => window.row('Models', /Blocks/).locator('.monaco-tl-twistie');
  const { wide, narrow } = picturesOf(
    () => window,
    (name) => join(folder, `${prefix}${name}.png`),
  );

  it('of blocks being chosen', { timeout: 600_000 }, async () => {
    const { panel } = window;
    await panel.locator('#analyze').click();
    await window.pick('tinystories.txt');
    await panel.locator('#running').waitFor();
    await panel.locator('#running').waitFor({ state: 'detached', timeout: 500_000 });
    await window.showContainer('Espalier');
    await window.row('Models', model).first().locator('.monaco-tl-twistie').click();
    for (const block of drop) await panel.locator(`#blocks tr[data-block="${block}"] td.name-column`).click();
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
