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
  await window.panel.locator('#spine').waitFor();
}

/** Presses the button; the engine stops where it is, so that what a test does then is in the middle of the run. */
export async function measureAndFreeze(workbench: Workbench, window: WorkbenchWindow): Promise<number> {
  const before = enginesOf(workbench.server()!.pid);
  await window.panel.locator('#analyze').click();
  const engine = await eventually('an engine', () =>
    enginesOf(workbench.server()!.pid).find((pid) => !before.includes(pid)),
  );
  process.kill(engine, 'SIGSTOP');
  await window.panel.locator('#running').waitFor();
  return engine;
}

export async function measured(window: WorkbenchWindow): Promise<void> {
  const { panel } = window;
  await panel.locator('#running').waitFor({ state: 'detached', timeout: 90_000 });
  for (const block of [0, 1, 2, 3, 4])
    await panel.locator(`#spine tr[data-block="${block}"] td.cost`, { hasText: /[+−]\d/ }).waitFor();
}
