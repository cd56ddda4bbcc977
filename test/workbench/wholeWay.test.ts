// The whole way by mouse, from an empty window to a published model: pulled from the hub, measured, pruned, healed, evaluated,
// published. The hub is the fake one. The tests are one story; each goes on from the last.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFolder } from '../fixtures';
import { type FakeHub, openFakeHub } from '../hub/fakeHub';
import { packagedExtension, workbenchAvailable } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const screens = process.env.ESPALIER_SCREENS;
const token = 'hf_ofTheWorkbench';

describe.skipIf(!workbenchAvailable())('the whole way in the editor', () => {
  let hub: FakeHub;
  let workbench: Workbench;
  let window: WorkbenchWindow;

  beforeAll(async () => {
    const stories = modelFolder('stories260k');
    const files = Object.fromEntries(readdirSync(stories).map((name) => [name, readFileSync(join(stories, name))]));
    hub = await openFakeHub({ 'o/stories': { files } }, { accounts: { [token]: { name: 'me', role: 'write' } } });
    const environment = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: token };
    workbench = await startWorkbench({ vsix: packagedExtension(), environment, fill: benchmarks });
    window = await workbench.openWindow();
    if (screens) mkdirSync(screens, { recursive: true });
  }, 240_000);
  afterAll(async () => {
    await workbench?.end();
    await hub?.close();
  });

  const picture = async (name: string) => {
    if (screens) await window.page.screenshot({ path: join(screens, `way-${name}.png`) });
  };
  const field = async (id: string, value: string) => {
    await window.panel.locator(`#${id}`).fill(value);
    await window.panel.locator(`#${id}`).press('Tab');
  };
  const pruned = () => window.row('Models', 'Without 1').first();

  it('begins with a model of the hub', async () => {
    await window.showContainer('Espalier');
    await window.pane('Models').getByText('Pull Model from Hub').click({ timeout: 60_000 });
    await window.input.waitFor();
    await window.answer('o/stories');
    await window.panel.locator('#state', { hasText: 'Done' }).waitFor({ timeout: 60_000 });
    await window.row('Models', 'o/stories').waitFor({ timeout: 60_000 });
    await picture('1-pulled');
  });

  it('measures it on the text that comes along', async () => {
    await window.chooseFromMenu(window.row('Models', 'o/stories'), 'Prune Model…');
    await window.panel.locator('#empty').waitFor();
    await window.panel.locator('#analyze').click();
    await window.pick('TinyStories (demo)');
    await window.panel
      .locator('#blocks tr[data-block="4"] td.cost', { hasText: /[+−]\d/ })
      .waitFor({ timeout: 90_000 });
  });

  it('prunes it into the workspace', async () => {
    await window.panel.locator('#blocks tr[data-block="1"] td.name-column').click();
    await window.panel.locator('#facts dt', { hasText: 'Loss, measured' }).waitFor();
    await picture('2-chosen');
    await window.panel.locator('#prune').click();
    await window.input.waitFor();
    await window.page.keyboard.press('Enter');
    await window.panel.locator('#pruned', { hasText: 'Written to' }).waitFor({ timeout: 90_000 });
    await pruned().waitFor();
  });

  it('heals it', async () => {
    await window.chooseFromMenu(pruned(), 'Heal Model…');
    await window.panel.locator('#form').waitFor();
    await window.panel.locator('#choose-text').click();
    await window.pick('TinyStories (demo)');
    await window.panel.locator('#text-name', { hasText: 'TinyStories' }).waitFor();
    await field('tokens', '64');
    await field('steps', '30');
    await window.panel.locator('#start').click();
    await window.input.waitFor();
    await window.page.keyboard.press('Enter');
    await window.panel.locator('#run-state', { hasText: 'Finished' }).waitFor({ timeout: 120_000 });
    await picture('3-healed');
  });

  it('evaluates it beside the original', async () => {
    await window.chooseFromMenu(window.row('Models', 'o/stories'), 'Evaluate Model…');
    await window.panel.locator('#form').waitFor();
    await window.panel.locator('#add-variant').click();
    await window.input.waitFor();
    await window.inputRows.filter({ hasText: 'Without 1' }).first().click();
    await window.page.keyboard.press('Enter');
    await window.panel.locator('#models li').nth(1).waitFor();
    await window.panel.locator('#choose-data').click();
    await window.chooseFolder(join(workbench.workspace, 'benchmarks'), 'hellaswag');
    await window.panel.locator('#data-folder', { hasText: 'benchmarks' }).waitFor();
    for (const task of ['arc_easy', 'arc_challenge', 'boolq', 'piqa', 'winogrande', 'openbookqa', 'lambada_openai'])
      await window.panel.locator(`#task-${task}`).click();
    await window.panel.locator('#plan', { hasText: /memory/ }).waitFor({ timeout: 60_000 });
    await window.panel.locator('#start').click();
    await window.panel.locator('#scores tr[data-row="hellaswag"]').waitFor({ timeout: 120_000 });
    await picture('4-evaluated');
  });

  it('publishes it', async () => {
    await window.chooseFromMenu(pruned(), 'Publish to Hub…');
    await window.panel.locator('#form').waitFor();
    await field('repository', 'me/stories-pruned');
    await window.panel.locator('#preview').click();
    await window.panel
      .locator('section[aria-label="Plan"]', { hasText: 'a new repository' })
      .waitFor({ timeout: 60_000 });
    await picture('5-preview');
    await window.panel.locator('#publish:not([disabled])').click();
    await window.panel.locator('#state', { hasText: 'Publishing: Done' }).waitFor({ timeout: 60_000 });
    await picture('6-published');
    const { branches, commits } = hub.state.repositories.get('me/stories-pruned')!;
    const files = commits.get(branches.get('main')!)!;
    expect(JSON.parse(files.get('config.json')!.toString()).num_hidden_layers).toBe(4);
    // It was measured, and the card says so.
    expect(files.get('README.md')!.toString()).toMatch(/base_model:\s+(- )?o\/stories/);
    expect(files.get('README.md')!.toString()).toMatch(/hellaswag/i);
  });

  it('failed nowhere on the way', () => {
    expect(workbench.ourLog()).not.toMatch(/policy violation|page \w+ error/);
    expect(window.ourProblems()).toEqual([]);
  });
});

/** A few questions, in a workspace without a model. */
function benchmarks(workspace: string): void {
  const toys = ['ball', 'doll', 'car', 'kite', 'boat', 'drum', 'book', 'hat'];
  const items = toys.map((toy, i) => ({
    ind: i,
    activity_label: 'Play',
    ctx_a: `Lily has a ${toy}.`,
    ctx_b: 'she',
    ctx: `Lily has a ${toy}. she`,
    endings: [`plays with the ${toy}.`, 'eats the sky.', 'sings a stone.', 'is a tree.'],
    source_id: `toys~${i}`,
    split: 'val',
    split_type: 'indomain',
    label: '0',
  }));
  mkdirSync(join(workspace, 'benchmarks/hellaswag'), { recursive: true });
  writeFileSync(
    join(workspace, 'benchmarks/hellaswag/hellaswag_val.jsonl'),
    items.map((item) => `${JSON.stringify(item)}\n`).join(''),
  );
}
