// The main job as a person does it, by mouse and keyboard, in a real workbench with the packaged extension: from the
// Explorer to a pruned model and its text beside that of its base. The tests are one story; each goes on from the last.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workbenchAvailable, packagedExtension } from './vsix';
import { copyStories } from './stories';
import { startWorkbench, type Workbench } from './workbench';
import type { WorkbenchWindow } from './window';

describe.skipIf(!workbenchAvailable())('pruning a model in the editor', () => {
  let workbench: Workbench;
  let window: WorkbenchWindow;

  beforeAll(async () => {
    workbench = await startWorkbench({ vsix: packagedExtension(), fill: copyStories });
    window = await workbench.openWindow();
  }, 240_000);
  afterAll(() => workbench?.end());

  it('comes in a package with the notices of what others wrote', () => {
    // The names of a zip's files stand in it as they are.
    const names = readFileSync(packagedExtension());
    for (const file of ['ThirdPartyNotices.txt', 'LICENSE.txt', 'NOTICE', 'node/LICENSE'])
      expect(names.includes(`extension/${file}`), file).toBe(true);
  });

  it('offers Prune Model… on a model folder and on nothing else', async () => {
    await window.file('stories260k').waitFor({ timeout: 60_000 });
    const onText = await window.menuOf(window.file('tinystories.txt'));
    expect(onText).toContain('Copy Path');
    expect(onText).not.toContain('Prune Model…');

    await window.showContainer('Espalier');
    await window.row('Models', 'stories260k').waitFor({ timeout: 60_000 });
    await window.showContainer('Explorer');
    expect(await window.menuOf(window.file('stories260k'))).toContain('Prune Model…');
  });

  it('opens the panel from the Explorer and says that nothing has been measured', async () => {
    await window.chooseFromMenu(window.file('stories260k'), 'Prune Model…');
    await window.panel.locator('#empty').waitFor();
    expect(await window.panel.locator('header .text').textContent()).toContain('5 blocks');
    expect(await window.panel.locator('#blocks tr[data-block]').count()).toBe(5);
  });

  it('measures all blocks on a text', async () => {
    await window.panel.locator('#analyze').click();
    await window.pick('tinystories.txt');
    await window.panel.locator('#methods, aside').first().waitFor({ timeout: 90_000 });
    await window.panel.locator('#blocks tr[data-block="4"] td.cost', { hasText: /[+−]\d\.\d{3}/ }).waitFor();
    const scores = await window.panel.locator('#blocks tr[data-block] td.value').allTextContents();
    expect(scores).toHaveLength(5);
    for (const score of scores) expect(score.trim()).toMatch(/^\d+\.\d+$/);
  });

  it('shows what a choice costs while it is made, with the mouse and with the keyboard', async () => {
    const { panel } = window;
    /** What the bar says of a choice of so many blocks, once it has been measured. */
    const measuredFacts = async (choice: string) => {
      const facts = panel.locator('#facts', { hasText: choice }).filter({ hasText: 'Loss, measured' });
      const text = await facts.filter({ hasText: /[+−]\d\.\d{3} ± \d\.\d{3} nats/ }).textContent();
      return text!;
    };
    await panel.locator('#blocks tr[data-block="1"] td.name-column').click();
    const one = await measuredFacts('1 of 5 blocks');

    expect(await panel.locator('#span').textContent()).toMatch(/^1: 0\.\d{4}, /);

    await window.page.keyboard.press('ArrowDown');
    await window.page.keyboard.press('Space');
    expect(await measuredFacts('2 of 5 blocks')).not.toBe(one);

    await window.page.keyboard.press('Control+z');
    await panel.locator('#facts', { hasText: '1 of 5 blocks' }).waitFor();
  });

  it('writes the pruned model, which stands under its base in the tree', async () => {
    await window.panel.locator('#prune').click();
    await window.input.waitFor();
    await window.page.keyboard.press('Enter');
    await window.panel.locator('#pruned', { hasText: 'Written to' }).waitFor({ timeout: 90_000 });
    const written = /Written to (.*?)\.\s/.exec((await window.panel.locator('#pruned').textContent())!)![1]!;
    expect(existsSync(join(written, 'config.json'))).toBe(true);
    expect(JSON.parse(readFileSync(join(written, 'config.json'), 'utf8')).num_hidden_layers).toBe(4);

    await window.showContainer('Espalier');
    const [base, variant] = [window.row('Models', 'stories260k').first(), window.row('Models', 'Without 1')];
    await variant.waitFor();
    const level = async (row: typeof base) => Number(await row.getAttribute('aria-level'));
    expect(await level(variant)).toBe((await level(base)) + 1);
    await window.row('Runs', 'Prune stories260k').waitFor();
  });

  it('shows in the tree what leaving out each block costs', async () => {
    await window
      .row('Models', /Blocks/)
      .locator('.monaco-tl-twistie')
      .click();
    for (const block of [0, 1, 2, 3, 4])
      await window.row('Models', new RegExp(`Block ${block}.*[+−]\\d\\.\\d{3}`)).waitFor();
  });

  it('lets both tell a story side by side', async () => {
    await window.panel.locator('#try').click();
    const { panel } = window;
    await panel.locator('#try-page').waitFor();
    await panel.locator('#generate').click();
    for (const model of [0, 1]) {
      const column = panel.locator('section.model').nth(model);
      await column.locator('.speed', { hasText: 'tokens/s' }).waitFor({ timeout: 90_000 });
      expect((await column.locator('.output .new').textContent())!.length).toBeGreaterThan(20);
    }
  });

  it('shows what a finished run was, and the recipe that made it', async () => {
    await window.row('Runs', 'Prune stories260k').click();
    const { panel } = window;
    await panel.locator('#run-page #state', { hasText: 'Done' }).waitFor();
    expect(await panel.locator('.recipe pre').textContent()).toContain('kind: prune');
  });

  it('shows what there is to compute on and how fast it is, and takes what is chosen', async () => {
    await window.statusItem('Espalier: CPU').waitFor();
    await window.command('Espalier: Choose Device…');
    const rows = window.inputRows;
    await rows.filter({ hasText: 'SwiftShader (software), 8.00 GB shared' }).waitFor();
    const texts = await rows.allTextContents();
    expect(texts[0]).toContain(
      'auto is the CPU, measured at 100 GFLOP/s; WebGPU on SwiftShader (software) does 1.0 GFLOP/s.',
    );
    expect(texts[2]).toContain('Measured at 1.0 GFLOP/s; holds no weights in 16 bits.');
    if (process.env.ESPALIER_SCREENS)
      await window.page.screenshot({ path: join(process.env.ESPALIER_SCREENS, 'devices-dark-wide.png') });
    await window.pick(/^webgpu/);
    await window.statusItem('Espalier: WebGPU').waitFor();

    await window.command('Espalier: Choose Device…');
    await rows.filter({ hasText: 'webgpu (now)' }).waitFor();
    await window.pick(/^auto/);
    await window.statusItem('Espalier: CPU').waitFor();
  });

  it('refused nothing under the policy and failed nowhere on the way', () => {
    const log = workbench.ourLog();
    expect(log).toMatch(/painted/);
    expect(log).not.toMatch(/policy violation|page \w+ error/);
    expect(window.ourProblems()).toEqual([]);
  });
});
