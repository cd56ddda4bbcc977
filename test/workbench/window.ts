// One window of the workbench and what a person does in it: keys, clicks, menus, and a look at it.
import type { FrameLocator, Locator, Page } from 'playwright-core';

const themes = {
  dark: { label: 'Dark Modern', sign: '.vs-dark' },
  light: { label: 'Light Modern', sign: '.vs:not(.vs-dark)' },
  highContrast: { label: 'Dark High Contrast', sign: '.hc-black' },
} as const;
export type Theme = keyof typeof themes;
export const themeNames = Object.keys(themes) as Theme[];

export class WorkbenchWindow {
  /** Uncaught errors of the page and what its console calls an error. */
  readonly problems: string[] = [];

  constructor(readonly page: Page) {
    page.setDefaultTimeout(30_000);
    page.on('pageerror', (error) => this.problems.push(`${error.message}\n${error.stack ?? ''}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.problems.push(message.text());
    });
  }

  /** Those that name us; the workbench has some of its own, such as files of VS Code that code-server leaves out. */
  ourProblems(): string[] {
    return this.problems.filter((text) => /espalier/i.test(text));
  }

  get input(): Locator {
    return this.page.locator('.quick-input-widget:not([style*="display: none"]) input.input');
  }

  get inputRows(): Locator {
    return this.page.locator('.quick-input-list .monaco-list-row');
  }

  /**
   * Opens the palette, types, and takes the row; again when something took the focus meanwhile, or when the command was
   * registered only after the palette had opened, which it does not notice.
   */
  async command(title: string): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      await this.page.keyboard.press('F1');
      try {
        await this.input.fill(`>${title}`, { timeout: 5000 });
        return await this.inputRows.filter({ hasText: title }).first().click({ timeout: 5000 });
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await this.page.keyboard.press('Escape');
      }
    }
  }

  /** Answers the quick pick that is open. */
  async pick(text: string | RegExp): Promise<void> {
    await this.inputRows.filter({ hasText: text }).first().click();
  }

  /** Answers the input box, or the file dialog, that is open. */
  async answer(text: string): Promise<void> {
    await this.input.fill(text);
    await this.page.keyboard.press('Enter');
  }

  /**
   * Answers the folder dialog that is open; `holds` is an entry of the folder, listed once the dialog has understood which
   * one is meant. Enter takes what is typed only while no entry has the focus, else it goes to that entry, which may be
   * `..`; and a dialog that is still being filled puts its own folder over what was typed. Then all is typed again.
   */
  async chooseFolder(folder: string, holds: string): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      try {
        await this.input.fill(`${folder}/`);
        await this.inputRows.filter({ hasText: holds }).waitFor({ timeout: 5000 });
        await this.page.keyboard.press('Enter');
        return await this.input.waitFor({ state: 'hidden', timeout: 3000 });
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  toast(text: string | RegExp): Locator {
    return this.page.locator('.notifications-toasts .notification-list-item', { hasText: text });
  }

  get toasts(): Locator {
    return this.page.locator('.notifications-toasts .notification-list-item');
  }

  async dismissToasts(): Promise<void> {
    await this.command('Notifications: Clear All Notifications');
    await this.toasts.first().waitFor({ state: 'detached' });
  }

  activity(label: string): Locator {
    return this.page.locator(`.activitybar .action-label[aria-label^="${label}"]`);
  }

  /** Shows a container of the side bar; a second click would hide it. */
  async showContainer(label: string): Promise<void> {
    const inside = this.page.locator(`.action-label[aria-label^="${label}"]`);
    const item = this.page.locator('.activitybar .action-item', { has: inside });
    await item.waitFor({ timeout: 60_000 });
    if ((await item.getAttribute('class'))?.includes('checked')) return;
    await this.activity(label).click();
  }

  pane(title: string): Locator {
    const header = this.page.locator(`.pane-header[aria-label^="${title}"]`);
    return this.page.locator('.split-view-view .pane', { has: header });
  }

  row(pane: string, text: string | RegExp): Locator {
    return this.pane(pane).locator('.monaco-list-row', { hasText: text });
  }

  /** A row of the Explorer, by the name of the file. */
  file(name: string): Locator {
    return this.page.locator(`.explorer-folders-view .monaco-list-row[aria-label^="${name}"]`);
  }

  /** The entries of a row's context menu, which stays open. */
  async openMenu(row: Locator): Promise<Locator> {
    await row.click({ button: 'right' });
    const items = this.page.locator('.monaco-menu .action-menu-item');
    await items.first().waitFor();
    return items;
  }

  /** The texts of a row's context menu, which is closed again. */
  async menuOf(row: Locator): Promise<string[]> {
    const items = await this.openMenu(row);
    const texts = await items.locator('.action-label').allTextContents();
    await this.page.keyboard.press('Escape');
    await items.first().waitFor({ state: 'detached' });
    return texts.filter(Boolean);
  }

  /** A menu that has just opened takes the first click for the end of the one that opened it. */
  async chooseFromMenu(row: Locator, text: string): Promise<void> {
    const item = (await this.openMenu(row)).filter({ hasText: text }).first();
    for (let attempt = 0; attempt < 20 && (await item.isVisible()); attempt++) {
      await item.click({ timeout: 2000 }).catch(() => {});
      await item.waitFor({ state: 'detached', timeout: 500 }).catch(() => {});
    }
  }

  tab(title: string | RegExp): Locator {
    return this.page.locator('.tabs-container .tab', { hasText: title });
  }

  /** The inside of the visible panel of ours. */
  get panel(): FrameLocator {
    return this.panelFrame.contentFrame().frameLocator('iframe#active-frame');
  }

  /** The frame itself, for its place on the screen. A webview in the side bar carries a purpose in its address. */
  get panelFrame(): Locator {
    return this.page
      .locator('iframe.webview.ready[src*="extensionId=espalier."]:not([src*="purpose="])')
      .filter({ visible: true })
      .first();
  }

  statusItem(text: string | RegExp): Locator {
    return this.page.locator('.part.statusbar .statusbar-item[id^="espalier."]', { hasText: text });
  }

  /** By the command, which saves what is open before it goes; a reload of the browser's may not. */
  async reload(): Promise<void> {
    const loaded = this.page.waitForEvent('load');
    await this.command('Developer: Reload Window');
    await loaded;
    await this.page.locator('.monaco-workbench .part.statusbar').waitFor({ timeout: 60_000 });
  }

  /** Chooses a theme as a person does, and waits until the workbench shows itself in it. */
  async choose(theme: Theme): Promise<void> {
    const { label, sign } = themes[theme];
    if (await this.page.locator(`.monaco-workbench${sign}`).isVisible()) return;
    await this.command('Preferences: Color Theme');
    await this.input.fill(label);
    await this.inputRows.filter({ hasText: label }).first().click();
    await this.page.locator(`.monaco-workbench${sign}`).waitFor();
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}
