// Computing on WebGPU in a real workbench: the devices are measured, one is chosen, the plan names its memory, and a model is
// measured on it. The card is Mesa's lavapipe, which computes on the processor.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available } from '../fixtures';
import { lavapipeDriver } from '../softwareDevices';
import { measured, openChooseBlocks } from './steps';
import { copyStories } from './stories';
import { packagedExtension, workbenchAvailable } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const screens = process.env.ESPALIER_SCREENS;

describe.skipIf(!workbenchAvailable() || !available(lavapipeDriver))('a device of the editor’s choice', () => {
  let workbench: Workbench;
  let window: WorkbenchWindow;

  beforeAll(async () => {
    workbench = await startWorkbench({
      vsix: packagedExtension(),
      fill: copyStories,
      settings: { 'espalier.analysis.sequences': 2, 'espalier.analysis.tokensPerSequence': 64 },
      machineSettings: { 'espalier.deviceMemory': 2000 },
      // Nothing is known of the devices: they are measured.
      environment: { VK_ICD_FILENAMES: lavapipeDriver, ESPALIER_DEVICES: '' },
    });
    window = await workbench.openWindow();
  }, 240_000);
  afterAll(() => workbench?.end());

  const picture = async (name: string) => {
    if (!screens) return;
    mkdirSync(screens, { recursive: true });
    await window.page.screenshot({ path: join(screens, `${name}-dark-wide.png`) });
  };

  it('is the CPU by itself, since software is slower', { timeout: 120_000 }, async () => {
    await window.showContainer('Espalier');
    await window.statusItem('Espalier: CPU').waitFor({ timeout: 90_000 });
  });

  it('is chosen among what was measured', async () => {
    await window.command('Espalier: Choose Device');
    const row = window.inputRows.filter({ hasText: 'llvmpipe' }).last();
    await row.waitFor({ timeout: 60_000 });
    expect(await row.innerText()).toMatch(/webgpu[\s\S]*GFLOP\/s; holds weights in 16 bits/);
    await picture('device-choice');
    await row.click();
    await window.statusItem('Espalier: WebGPU').waitFor();
  });

  it('has memory of its own in the plan', async () => {
    await openChooseBlocks(window);
    await window.panel.locator('#empty').getByText('Choose Text').click();
    await window.pick('tinystories.txt');
    await window.panel
      .locator('#empty', { hasText: /About .*, [\d.]+ [MG]B on the device, [\d.]+ [MG]B of memory/ })
      .waitFor();
    await picture('device-plan');
  });

  it('measures a model', { timeout: 240_000 }, async () => {
    await window.panel.locator('#analyze').click();
    await window.panel.locator('#running').waitFor();
    await measured(window);
    await window.showContainer('Espalier');
    await window
      .row('Runs', /Analy[sz]e|Measure/)
      .first()
      .click();
    await window.panel
      .locator('#run-page', { hasText: /Device memory\s*\d+ MB of 2\.0 GB[\s\S]*Device\s*webgpu/ })
      .waitFor();
    await picture('device-run');
    expect(window.ourProblems()).toEqual([]);
  });
});
