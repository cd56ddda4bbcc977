// What strangers wrote reaches no part of the editor as anything but letters: every part times every kind of text.
import { describe, expect, it, vi } from 'vitest';

const shown: unknown[] = [];
const show = (...parts: unknown[]) => void shown.push(...parts);
vi.mock('vscode', () => ({
  TreeItem: class {
    constructor(public label: string) {
      show(label);
    }
  },
  window: {
    createOutputChannel: () =>
      Object.fromEntries(
        ['trace', 'debug', 'info', 'warn', 'error', 'append', 'appendLine', 'replace'].map((name) => [name, show]),
      ),
    showErrorMessage: async (...parts: unknown[]) => show(...parts),
    showWarningMessage: async (...parts: unknown[]) => show(...parts),
    showQuickPick: async (items: unknown[] | Promise<unknown[]>) => show(...(await items)),
  },
}));
const { askFirst, openLog, pick, pickFromComing, pickSeveral, setTitle, showError, showInStatus, treeRow } =
  await import('../../extension/editorText');

const texts = {
  'an escape sequence': '\x1b]52;c;cm0=\x07 a',
  'a carriage return': 'a\rb',
  'one of C1': '\x9b31m a',
  'an override of direction': '\u202ea\u2066',
  'lines of ours': 'a\n[info] all is well',
};
/** Of messages and lists, which read more. */
const marks = { 'a link to a command': 'see [here](command:a.b)', 'an icon': '$(check) done' };

/** What each part was given, as one text. */
const parts: Record<string, (text: string) => unknown> = {
  'the log': (text) => {
    const log = openLog('Espalier');
    for (const write of [log.trace, log.debug, log.info, log.warn, log.error, log.appendLine]) write(text);
  },
  'a row of a tree': (text) => show(treeRow({ label: text, description: text, tooltip: text })),
  'the status bar': (text) => {
    const item = {} as never;
    showInStatus(item, text, text);
    show(item);
  },
  'a title': (text) => {
    const panel = {} as never;
    setTitle(panel, text);
    show(panel);
  },
  'an error': (text) => showError(text, 'Show Log'),
  'a question': (text) => askFirst(text, 'Move'),
  'a list': (text) => pick([{ label: text, description: text, detail: text }], {}),
  'a list that is still to come': (text) => pickFromComing(Promise.resolve([{ label: text, detail: text }]), {}),
  'a list of several': (text) => pickSeveral([{ label: text }], 'a'),
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const acted = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;
const textsOf = (value: unknown): string[] =>
  typeof value === 'string' ? [value] : typeof value === 'object' && value ? Object.values(value).flatMap(textsOf) : [];

async function shownBy(part: string, text: string): Promise<string[]> {
  shown.length = 0;
  await parts[part]!(text);
  return shown.flatMap(textsOf);
}

const pairs = Object.keys(parts).flatMap((part) => Object.keys(texts).map((text) => ({ part, text })));

describe('a part of the editor', () => {
  it.each(pairs)('$part shows $text', async ({ part, text }) => {
    const said = await shownBy(part, texts[text as keyof typeof texts]);
    expect(said.length).toBeGreaterThan(0);
    for (const each of said) {
      expect(each).toMatch(/a|Show Log|Move/);
      expect(acted.exec(each)).toBeNull();
    }
    if (part === 'the log') for (const each of said) expect(each).not.toMatch(/^\[info\]/m);
    if (/title|list/.test(part)) for (const each of said) expect(each).not.toContain('\n');
  });

  it.each(['an error', 'a question'])('%s follows no link', async (part) => {
    expect((await shownBy(part, marks['a link to a command'])).join()).not.toContain('](');
  });

  it.each(['a list', 'a list that is still to come', 'a list of several'])('%s draws no icon', async (part) => {
    for (const each of await shownBy(part, marks['an icon'])) expect(each).toMatch(/\\\$\(check\)/);
  });
});
