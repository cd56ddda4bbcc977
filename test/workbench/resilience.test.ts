// What goes on when something ends: a window, a socket, the server, an engine. Nobody's run is lost without a word, and
// nobody has to do anything for the connection to come back.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from './eventually';
import { processIsAlive } from './processes';
import { proxyInto } from './proxy';
import { sampleStatus } from './statusSamples';
import { measureAndFreeze, measured, openChooseBlocks } from './steps';
import { copyStories } from './stories';
import { packagedExtension, workbenchAvailable } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';
import { lockPath } from '../../server/protocol/serverLock';

const long = process.env.ESPALIER_LONG === '1';

describe.skipIf(!workbenchAvailable())('when something ends', () => {
  let workbench: Workbench;
  let window: WorkbenchWindow;

  beforeAll(async () => {
    workbench = await startWorkbench({ vsix: packagedExtension(), fill: copyStories });
    window = await workbench.openWindow();
    await openChooseBlocks(window);
  }, 240_000);
  afterAll(() => workbench?.end());
  beforeEach(async () => {
    await window.statusItem('Espalier').waitFor();
  });

  it('an engine that is killed fails its run with the reason, and the server answers all the while', async () => {
    const engine = await measureAndFreeze(workbench, window);
    const samples = await sampleStatus(lockPath(workbench.storage), 100);
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.kill(engine, 'SIGKILL');
    await window.panel.locator('#ended', { hasText: /engine|memory|killed/i }).waitFor();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const answersMs = await samples.end();
    expect(answersMs.length).toBeGreaterThanOrEqual(8);
    // One slow answer is the machine's; a server that is held up is slow for more than a tenth of a second.
    expect(answersMs.sort((a, b) => a - b).at(-2)).toBeLessThan(1000);
    await window.showContainer('Espalier');
    await window
      .row('Runs', /failed/i)
      .first()
      .waitFor();
  });

  it('a server that is killed is started again, and its run is said to be interrupted', async () => {
    const engine = await measureAndFreeze(workbench, window);
    const { pid } = workbench.server()!;
    process.kill(pid, 'SIGKILL');
    await eventually('another server', () => {
      const server = workbench.server();
      return server && server.pid !== pid;
    });
    await window.panel.locator('#ended', { hasText: 'ended in the middle' }).waitFor();
    process.kill(engine, 'SIGCONT');
    await eventually('the end of the orphaned engine', () => !processIsAlive(engine));
    await window
      .row('Runs', /interrupted/i)
      .first()
      .waitFor();
    expect(await window.toasts.count()).toBe(0);
  });

  it('a reload of the window in the middle of a run brings back the panel and the run, which can be cancelled', async () => {
    const server = workbench.server()!;
    const engine = await measureAndFreeze(workbench, window);
    await window.reload();
    await window.panel.locator('#running').waitFor({ timeout: 60_000 });
    expect(workbench.server()).toEqual(server);
    expect(processIsAlive(engine)).toBe(true);
    await window.panel.locator('#cancel-analysis').click();
    await window.panel.locator('#ended', { hasText: 'cancelled' }).waitFor();
    expect(processIsAlive(engine)).toBe(false);
  });

  it('sockets that are cut for three seconds lose no event and raise no pop-up', async () => {
    const proxy = await proxyInto(lockPath(workbench.storage));
    try {
      await window.reload();
      await window.panel.locator('#ended').waitFor({ timeout: 60_000 });
      expect(proxy.nSockets).toBeGreaterThan(0);
      const engine = await measureAndFreeze(workbench, window);
      const cut = proxy.cut(3000);
      await window.panel.locator('#connection', { hasText: 'lost' }).waitFor();
      process.kill(engine, 'SIGCONT');
      await cut;
      await window.panel.locator('#connection').waitFor({ state: 'detached' });
      await measured(window);
      expect(await window.toasts.count()).toBe(0);
    } finally {
      await proxy.end();
    }
  });

  it('a server that ends right behind its first answer is reached again, by a new client', async () => {
    const proxy = await proxyInto(lockPath(workbench.storage));
    try {
      proxy.farewell(3);
      await window.reload();
      await eventually('three farewells', () => proxy.nFarewells === 3);
      await window.panel.locator('#ended, #blocks').first().waitFor({ timeout: 60_000 });
      await measured(window);
      expect(await window.toasts.count()).toBe(0);
    } finally {
      await proxy.end();
    }
  });

  it('two windows share one server, and closing one harms nothing', async () => {
    const server = workbench.server()!;
    const other = await workbench.openWindow();
    await openChooseBlocks(other);
    await measured(other);
    expect(workbench.server()).toEqual(server);
    await other.close();
    expect(processIsAlive(server.pid)).toBe(true);
    await window.panel.locator('#blocks tr[data-block="3"] td.name-column').click();
    await window.panel.locator('#facts dt', { hasText: 'Loss, measured' }).waitFor();
  });

  it('starts within 100 milliseconds', () => {
    const times = [...workbench.ourLog().matchAll(/activated in (\d+)/g)]
      .map(([, ms]) => Number(ms))
      .sort((a, b) => a - b);
    console.log(`activated in ${times.join(', ')} ms`);
    expect(times.length).toBeGreaterThanOrEqual(3);
    // The median is for a machine with nothing else to do.
    expect(times[long ? Math.floor(times.length / 2) : 0]).toBeLessThan(100);
  });
});
