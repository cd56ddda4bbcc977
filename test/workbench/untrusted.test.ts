// A workspace that nobody has trusted yet, in Restricted Mode: nothing of ours runs there, and the side bar says why. Once
// it is trusted, all is as ever. The tests are one story.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './eventually';
import { copyStories } from './stories';
import { packagedExtension, workbenchAvailable } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const why = 'Espalier computes only in folders that you trust';

describe.skipIf(!workbenchAvailable())('an untrusted workspace', () => {
  let workbench: Workbench;
  let window: WorkbenchWindow;

  beforeAll(async () => {
    workbench = await startWorkbench({ vsix: packagedExtension(), fill: copyStories, trust: 'asked' });
    window = await workbench.openWindow();
  }, 240_000);
  afterAll(() => workbench?.end());

  /** Neither now nor before: a server leaves its log, and makes a folder for runs. */
  const nothingRan = () => {
    expect(workbench.server()).toBeNull();
    for (const trace of ['servers', 'server.log', 'runs'])
      expect(existsSync(join(workbench.storage, trace)), trace).toBe(false);
    expect(readdirSync(workbench.workspace).sort()).toEqual(['stories260k', 'tinystories.txt']);
  };

  it('is in Restricted Mode, with the extension at work', async () => {
    await window.page.locator('.part.statusbar .statusbar-item', { hasText: 'Restricted Mode' }).waitFor();
    await window.statusItem('Espalier').waitFor({ timeout: 60_000 });
    await eventually('its activation', () => /activated in \d/.test(workbench.ourLog()));
  });

  it('is told in the side bar why there are no models', async () => {
    await window.showContainer('Espalier');
    const models = window.pane('Models');
    await models.getByText('Espalier computes with models only in folders that you trust').waitFor({ timeout: 60_000 });
    await models.getByText('Manage Workspace Trust').waitFor();
    expect(await models.locator('.monaco-list-row').count()).toBe(0);
    nothingRan();
  });

  it.each(['Prune Model…', 'Try Model', 'Refresh Models', 'Choose Device'])(
    'runs no command: %s is refused with the reason',
    async (title) => {
      await window.command(`Espalier: ${title}`);
      await window.toast(why).waitFor();
      await window.dismissToasts();
      expect(await window.page.locator('.tabs-container .tab').count()).toBe(0);
      expect(await window.input.isVisible()).toBe(false);
      nothingRan();
    },
  );

  const enabledByTrust = ['Restart Server', 'Prune the Tiny Demo Model'];
  /** How often the palette has them. */
  const offered = async () => {
    const counts: number[] = [];
    for (const title of enabledByTrust) {
      await window.page.keyboard.press('F1');
      await window.input.fill(`>Espalier: ${title}`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      counts.push(await window.inputRows.filter({ hasText: `Espalier: ${title}` }).count());
      await window.page.keyboard.press('Escape');
    }
    return counts;
  };

  it('is not even offered what starts or writes at once', async () => {
    expect(await offered()).toEqual([0, 0]);
  });

  it('has a server, its models and all commands once it is trusted', async () => {
    nothingRan();
    await window.command('Workspaces: Manage Workspace Trust');
    await window.page.locator('.workspace-trust-editor').getByText('Trust', { exact: true }).first().click();
    const first = await eventually('a server', () => workbench.server());
    await window.row('Models', 'stories260k').first().waitFor({ timeout: 60_000 });
    await window.page.keyboard.press('Escape'); // the editor of trust lies over all
    await window.command('Espalier: Restart Server');
    await eventually('another server', () => {
      const server = workbench.server();
      return server && server.pid !== first.pid;
    });
    // The console of the workbench repeats what it refused.
    expect(window.ourProblems().filter((text) => !text.startsWith(why))).toEqual([]);
  });
});
