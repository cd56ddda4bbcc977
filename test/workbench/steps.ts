// Steps that several stories share: to the panel of a model, to a running and to a finished measurement.
import { enginesOf } from './processes';
import { eventually } from './eventually';
import type { Workbench } from './workbench';
import type { WorkbenchWindow } from './window';

/** From the Explorer; its entry is there once the extension knows the models of the workspace. */
export async function openChooseBlocks(window: WorkbenchWindow, folder = 'stories260k'): Promise<void> {
  await window.showContainer('Espalier');
  await window.row('Models', folder).first().waitFor({ timeout: 60_000 });
  await window.showContainer('Explorer');
  await window.chooseFromMenu(window.file(folder), 'Prune Model…');
  await window.panel.locator('#blocks').waitFor();
}

/**
 * Presses the button; the engine stops where it is, so that what a test does then is in the middle of the run. It is looked
 * for from before the button is pressed: the tiny model is measured within a second.
 */
export async function measureAndFreeze(workbench: Workbench, window: WorkbenchWindow): Promise<number> {
  const before = enginesOf(workbench.server()!.pid);
  const frozen = eventually('an engine', () => {
    const engine = enginesOf(workbench.server()!.pid).find((pid) => !before.includes(pid));
    if (engine !== undefined) process.kill(engine, 'SIGSTOP');
    return engine;
  });
  await window.panel.locator('#analyze').click();
  // Which text to measure on is asked the first time.
  const asked = window.input.waitFor().then(
    () => true,
    () => false,
  );
  if (await Promise.race([asked, frozen.then(() => false)])) await window.pick('tinystories.txt');
  const engine = await frozen;
  await window.panel.locator('#running').waitFor();
  return engine;
}

export async function measured(window: WorkbenchWindow): Promise<void> {
  const { panel } = window;
  await panel.locator('#running').waitFor({ state: 'detached', timeout: 90_000 });
  for (const block of [0, 1, 2, 3, 4])
    await panel.locator(`#blocks tr[data-block="${block}"] td.cost`, { hasText: /[+−]\d/ }).waitFor();
}
