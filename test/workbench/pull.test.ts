// Pulling in a real workbench, from an empty window to a model that is tried and scored, by mouse and keys alone. The hub is the fake
// one, and Hugging Face's cache is not there yet.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultEvaluation } from '../../extension/panels/evaluate/recipe';
import { modelFolder } from '../fixtures';
import { arc } from '../hub/dataSets';
import { mainCommit } from '../hub/fake/repositories';
import { type FakeHub, openFakeHub } from '../hub/fakeHub';
import { copyStories } from './stories';
import { packagedExtension, workbenchAvailable } from './vsix';
import { themeNames, type WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const screens = process.env.ESPALIER_SCREENS;

describe.skipIf(!workbenchAvailable())('pulling a model in the editor', () => {
  let hub: FakeHub;
  let workbench: Workbench;
  let window: WorkbenchWindow;
  let release = () => {};

  beforeAll(async () => {
    const stories = modelFolder('stories260k');
    const names = readdirSync(stories);
    const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(stories, name))]));
    hub = await openFakeHub({ 'o/stories': { files }, 'datasets/allenai/ai2_arc': arc });
    workbench = await startWorkbench({ vsix: packagedExtension(), environment: { HF_ENDPOINT: hub.endpoint } });
    window = await workbench.openWindow();
  }, 240_000);
  afterAll(async () => {
    release();
    await workbench?.end();
    await hub?.close();
  });

  const picture = async (name: string) => {
    if (!screens) return;
    mkdirSync(screens, { recursive: true });
    for (const theme of themeNames) {
      await window.choose(theme);
      await window.page.screenshot({ path: join(screens, `${name}-${theme}.png`) });
    }
    await window.choose('dark');
  };

  it('is offered where there is no model yet', async () => {
    await window.showContainer('Espalier');
    await window.pane('Models').getByText('Pull Model from Hub').click({ timeout: 60_000 });
    await window.input.waitFor();
  });

  it('refuses in the box what names no repository', async () => {
    await window.input.fill('../o');
    await window.page.locator('.quick-input-message', { hasText: 'names no repository of the hub' }).waitFor();
  });

  it('says size and free disk, and how far it is', async () => {
    const wait = new Promise<void>((resolve) => {
      release = resolve;
    });
    hub.fault = ({ path }) => (/model\.safetensors\?/.test(path) ? { waitAfter: 700_000, until: wait } : null);
    await window.answer('o/stories');
    const facts = window.panel.locator('section[aria-label="Download"]');
    await facts.waitFor({ timeout: 60_000 });
    expect(await facts.innerText()).toMatch(
      /Model\s+o\/stories@main[\s\S]*To fetch\s+[\d.]+ [MG]B[\s\S]*Free there\s+[\d.]+ [MGT]B/,
    );
    await window.panel.locator('#state', { hasText: /\d+.% of what is fetched/ }).waitFor();
    await picture('pull');
    release();
  });

  it('lists the model, and gives it to be tried', async () => {
    await window.panel.locator('#state', { hasText: 'Done' }).waitFor({ timeout: 60_000 });
    await window.row('Models', 'o/stories').waitFor({ timeout: 60_000 });
    const cache = join(dirname(workbench.workspace), 'home/.cache/huggingface/hub');
    expect(existsSync(join(cache, 'models--o--stories/snapshots', mainCommit, 'model.safetensors'))).toBe(true);
    await window.panel.locator('#try').click();
    await window.panel.locator('#prompt').waitFor();
  });

  it('exports it for llama.cpp into the workspace', async () => {
    await window.chooseFromMenu(window.row('Models', 'o/stories'), 'Export to GGUF…');
    await window.inputRows.filter({ hasText: 'q8_0' }).click();
    const file = join(workbench.workspace, 'o-stories-q8_0.gguf');
    await expect.poll(() => window.input.inputValue()).toBe(file);
    await window.page.keyboard.press('Enter');
    await window.panel.locator('#state', { hasText: 'Done' }).waitFor({ timeout: 60_000 });
    expect(readFileSync(file).subarray(0, 4).toString()).toBe('GGUF');
    expect(await window.panel.locator('#try').count()).toBe(0);
    expect(window.ourProblems()).toEqual([]);
  });

  it('pulls the data that an evaluation of it lacks, and scores it', async () => {
    await window.chooseFromMenu(window.row('Models', 'o/stories'), 'Evaluate Model…');
    await window.panel.locator('#missing-data', { hasText: 'hellaswag' }).waitFor();
    expect(await window.panel.locator('#start[disabled]').count()).toBe(1);
    for (const task of defaultEvaluation.tasks.filter((name) => name !== 'arc_easy'))
      await window.panel.locator(`#task-${task}`).click();
    await window.panel.locator('#missing-data', { hasText: /^arc_easy$/ }).waitFor();
    await picture('evaluate-data');
    await window.panel.locator('#pull-data').click();
    await window.panel.locator('#state', { hasText: 'Done' }).waitFor({ timeout: 60_000 });
    await window.command('View: Close Editor');
    await window.panel.locator('#missing-data').waitFor({ state: 'detached', timeout: 60_000 });
    await window.panel.locator('#start:not([disabled])').click();
    await window.panel.locator('#scores tr[data-row="arc_easy"]').waitFor({ timeout: 120_000 });
    expect(window.ourProblems()).toEqual([]);
  });

  it('lists models of a folder elsewhere, once it is added', async () => {
    const elsewhere = join(dirname(workbench.workspace), 'elsewhere');
    mkdirSync(elsewhere);
    copyStories(elsewhere);
    await window.command('Espalier: Add a Folder of Models');
    await window.chooseFolder(elsewhere, 'stories260k');
    await window.row('Models', 'stories260k').first().waitFor({ timeout: 60_000 });
    expect(window.ourProblems()).toEqual([]);
  });
});
