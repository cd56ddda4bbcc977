// Pictures of a real evaluation for people to look at, made into the folder that ESPALIER_SCREENS names: SmolLM2, a pruned
// and a healed variant of it, on the benchmarks of the reference data. It takes some minutes.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { available, dataFolder, modelFolder, repoRoot } from '../fixtures';
import { linkModel, picturesOf, widenSideBar } from './pictures';
import { packagedExtension } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const folder = resolve(repoRoot, process.env.ESPALIER_SCREENS ?? 'screens');
const model = 'smollm2-135m';

describe.skipIf(!available(modelFolder(model)) || !available(dataFolder))('pictures of an evaluation', () => {
  let workbench: Workbench;
  let window: WorkbenchWindow;
  const { wide, narrow } = picturesOf(
    () => window,
    (name) => join(folder, `${name}.png`),
  );

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    workbench = await startWorkbench({ vsix: packagedExtension(), fill });
    window = await workbench.openWindow();
    await widenSideBar(window);
  }, 900_000);
  afterAll(() => workbench?.end());

  it('with its form, its table and its charts', { timeout: 1_800_000 }, async () => {
    const { panel } = window;
    await window.showContainer('Espalier');
    await window
      .row('Models', /Without/)
      .first()
      .waitFor({ timeout: 60_000 });
    await window.showContainer('Explorer');
    await window.chooseFromMenu(window.file(model), 'Evaluate Model…');
    await panel.locator('#add-variant').click();
    await window.input.waitFor();
    for (const name of ['pruned', 'merged']) await window.inputRows.filter({ hasText: name }).first().click();
    await window.page.keyboard.press('Enter');
    await panel.locator('#models li').nth(2).waitFor();
    await panel.locator('#choose-data').click();
    await window.chooseFolder(join(workbench.workspace, 'benchmarks'), 'hellaswag');
    await panel.locator('#data-folder', { hasText: 'benchmarks' }).waitFor();
    await panel.locator('#items').fill('40');
    await panel.locator('#items').press('Tab');
    await panel.locator('#plan', { hasText: /memory/ }).waitFor({ timeout: 60_000 });
    await wide('evaluate-form');
    await panel.locator('#start').click();
    await panel.locator('#scores tr[data-row="mean"]').waitFor({ timeout: 1_700_000 });
    await panel.locator('#progress').waitFor({ state: 'detached', timeout: 1_700_000 });
    await window.showContainer('Espalier');
    await wide('evaluate');
    await narrow('evaluate');
  });
});

/** The model, without five blocks, and healed for a few steps; the data as a copy, since links are shown by where they lead. */
function fill(workspace: string): void {
  linkModel(model, workspace);
  cpSync(join(dataFolder, 'data'), join(workspace, 'benchmarks'), { recursive: true });
  const text = join(dataFolder, 'data/wikitext-2-raw/wikitext2_train_5k.txt');
  const espalier = (...args: string[]) =>
    execFileSync(process.execPath, [join(repoRoot, 'dist/espalier.cjs'), ...args, '--quiet'], {
      cwd: workspace,
      stdio: 'pipe',
    });
  espalier('prune', model, '--drop', '12-16', '--out', 'pruned');
  const how = [
    '--data',
    text,
    '--tokens',
    '256',
    '--steps',
    '30',
    '--lr',
    '1e-3',
    '--warmup',
    '3',
    '--holdout',
    '0.01',
  ];
  espalier('heal', 'pruned', '--out', 'adapter', ...how, '--evaluate-every', '20');
  espalier('merge', 'pruned', 'adapter', '--out', 'merged');
}
