// The one place that gives text to the editor's own parts: its log, rows of trees, messages, lists and titles. The text may be
// from strangers, so that nothing in it turns the writing around, becomes an icon or a link, or looks like several lines.
import {
  type LogOutputChannel,
  type QuickPickItem,
  type QuickPickOptions,
  type StatusBarItem,
  TreeItem,
  type TreeItemCollapsibleState,
  type WebviewPanel,
  window,
} from 'vscode';
import { visible, visibleLine, visibleMessage } from '../server/shared/visible';
import { withoutIcons, withoutLinks } from './markup';

export function openLog(name: string): LogOutputChannel {
  const channel = window.createOutputChannel(name, { log: true });
  const shown = (text: unknown) => (typeof text === 'string' ? visibleMessage(text) : text);
  const showing =
    <T extends unknown[]>(write: (...parts: T) => void) =>
    (...parts: T) =>
      write(...(parts.map(shown) as T));
  return {
    ...channel,
    get logLevel() {
      return channel.logLevel;
    },
    trace: showing(channel.trace),
    debug: showing(channel.debug),
    info: showing(channel.info),
    warn: showing(channel.warn),
    error: showing(channel.error),
    append: (text) => channel.append(visible(text)),
    appendLine: (text) => channel.appendLine(visibleMessage(text)),
    replace: (text) => channel.replace(visible(text)),
  };
}

export interface RowText {
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
}

export function treeRow({ label, description, tooltip }: RowText, opens?: TreeItemCollapsibleState): TreeItem {
  const [shownLabel, shownDescription] = [visibleLine(label), visibleLine(description)];
  const item = new TreeItem(shownLabel, opens);
  item.description = shownDescription;
  item.tooltip = visible(tooltip);
  // Without this, a screen reader reads the tooltip.
  item.accessibilityInformation = { label: `${shownLabel}, ${shownDescription}` };
  return item;
}

/** `text` is ours, icons included; the tooltip may name a run. */
export function showInStatus(item: StatusBarItem, text: string, tooltip: string): void {
  item.text = visibleLine(text);
  item.tooltip = visible(tooltip);
}

export function setTitle(panel: WebviewPanel, title: string): void {
  panel.title = visibleLine(title);
}

/** A message may hold links that the editor follows, commands too; none of ours does. */
const messageText = (text: string) => withoutLinks(visible(text));

export const showError = (message: string, ...buttons: string[]) =>
  window.showErrorMessage(messageText(message), ...buttons);

export const askFirst = (message: string, button: string) =>
  window.showWarningMessage(messageText(message), { modal: true }, button);

const itemText = (text: string) => withoutIcons(visibleLine(text));

function shownItem<T extends QuickPickItem>(item: T): T {
  const { label, description, detail } = item;
  return {
    ...item,
    label: itemText(label),
    ...(description !== undefined && { description: itemText(description) }),
    ...(detail !== undefined && { detail: itemText(detail) }),
  };
}

export const pick = <T extends QuickPickItem>(items: readonly T[], options: QuickPickOptions) =>
  window.showQuickPick(items.map(shownItem), options);

/** The list is open, and busy, while its items are still to come. */
export function pickFromComing<T extends QuickPickItem>(items: Promise<readonly T[]>, options: QuickPickOptions) {
  const shown: Promise<readonly T[]> = items.then((all) => all.map(shownItem));
  return window.showQuickPick(shown, options);
}

export const pickSeveral = <T extends QuickPickItem>(items: readonly T[], title: string) =>
  window.showQuickPick(items.map(shownItem), {
    title,
    canPickMany: true,
    matchOnDescription: true,
    matchOnDetail: true,
  });
