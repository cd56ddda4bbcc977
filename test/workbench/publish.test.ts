// Publishing in a real workbench: from the menu of a pruned model to a repository on the fake hub, by mouse and keys alone.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repoRoot } from '../fixtures';
import { type FakeHub, openFakeHub } from '../hub/fakeHub';
import { picturesOf } from './pictures';
import { copyStories } from './stories';
import { packagedExtension, workbenchAvailable } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const screens = process.env.ESPALIER_SCREENS;
const token = 'hf_ofTheWorkbench';

describe.skipIf(!workbenchAvailable())('publishing a model in the editor', () => {
  let hub: FakeHub;
  let workbench: Workbench;
  let window: WorkbenchWindow;
  const { wide, narrow } = picturesOf(
    () => window,
    (name) => join(screens ?? '', `${name}.png`),
  );

  beforeAll(async () => {
    hub = await openFakeHub({}, { accounts: { [token]: { name: 'me', role: 'write' } } });
    const environment = { HF_ENDPOINT: hub.endpoint };
    workbench = await startWorkbench({ vsix: packagedExtension(), environment, fill });
    window = await workbench.openWindow();
    if (screens) mkdirSync(screens, { recursive: true });
  }, 240_000);
  afterAll(async () => {
    await workbench?.end();
    await hub?.close();
  });

  function fill(folder: string): void {
    copyStories(folder);
    const args = [
      'dist/espalier.cjs',
      'prune',
      join(folder, 'stories260k'),
      '--drop',
      '2',
      '--out',
      join(folder, 'pruned'),
      '--quiet',
    ];
    execFileSync(process.execPath, args, { cwd: repoRoot, stdio: 'ignore' });
  }

  it('is offered on a model folder, and says what it needs', async () => {
    await window.showContainer('Espalier');
    await window.row('Models', 'pruned').waitFor({ timeout: 60_000 });
    await window.showContainer('Explorer');
    await window.chooseFromMenu(window.file('pruned'), 'Publish to Hub…');
    await window.panel.locator('#form').waitFor();
    await window.panel.locator('#problem', { hasText: 'OWNER/NAME' }).waitFor();
    expect(await window.panel.locator('#publish').getAttribute('disabled')).not.toBe(null);
  });

  it('looks without a token, but does not publish, and takes one that nobody sees', async () => {
    await window.panel.locator('#repository').fill('me/tiny-pruned');
    await window.panel.locator('#base').fill('karpathy/tinyllamas');
    await window.panel.locator('#words textarea').fill('For **bedtime** only.');
    await window.panel.locator('#preview').click();
    await window.panel.getByText('Nobody is logged in').waitFor({ timeout: 60_000 });
    expect(hub.asked).toEqual([]);
    await window.panel.getByText('Set Token…').click();
    await window.answer(token);
    await window.panel.getByText('the one that the editor keeps').waitFor();
  });

  it('shows proof, plan and card, with the words in it, and sends nothing', async () => {
    await window.panel.locator('#preview').click();
    await window.panel
      .locator('section[aria-label="Plan"]', { hasText: 'a new repository' })
      .waitFor({ timeout: 60_000 });
    expect(await window.panel.locator('#card').innerText()).toContain('For **bedtime** only.');
    expect(await window.panel.locator('#checks li').count()).toBe(8);
    expect(await window.panel.locator('section[aria-label="Plan"]').innerText()).toMatch(/a new repository, private/);
    expect([...hub.state.repositories.keys()]).toEqual([]);
    if (screens) await wide('publish');
    if (screens) await narrow('publish');
  });

  it('asks for another look when something was changed, and publishes what was looked at', async () => {
    await window.panel.locator('#tag').fill('v1');
    await window.panel.getByText('preview it again').waitFor();
    expect(await window.panel.locator('#publish').getAttribute('disabled')).not.toBe(null);
    await window.panel.locator('#tag').press('Tab');
    await window.panel.locator('#preview').click();
    await window.panel.locator('#publish:not([disabled])').waitFor({ timeout: 60_000 });
    await window.panel.locator('#publish button:not([disabled])').focus();
    await window.page.keyboard.press('Enter');
    await window.panel.locator('#state', { hasText: 'Publishing: Done' }).waitFor({ timeout: 60_000 });
    const { isPrivate, branches, tags, commits } = hub.state.repositories.get('me/tiny-pruned')!;
    const files = commits.get(branches.get('main')!)!;
    expect({ isPrivate, tags: [...tags.keys()] }).toEqual({ isPrivate: true, tags: ['v1'] });
    expect([...files.keys()]).toEqual(expect.arrayContaining(['README.md', 'config.json', 'model.safetensors']));
    expect(files.get('README.md')!.toString()).toContain('For **bedtime** only.');
    expect(files.get('README.md')!.toString()).toMatch(/base_model:\s+(- )?karpathy\/tinyllamas/);
    if (screens) await wide('published');
    expect(window.ourProblems()).toEqual([]);
  });
});
