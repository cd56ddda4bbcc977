// Panels that the window brings back: by the page that they remember, whatever their type was called when they were opened.
import { describe, expect, it, vi } from 'vitest';
import type { PageProtocol } from '../../server/protocol/pages/page';
import { definePage, panelType, panelTypes } from '../../extension/panels/pages';
import { openPanels } from '../../extension/panels/panels';

type Restore = { deserializeWebviewPanel(panel: object, state: unknown): Promise<void> };
const editor = vi.hoisted(() => ({ restores: new Map<string, Restore>(), opened: [] as string[] }));
vi.mock('vscode', async () => ({
  ...(await import('./vscode')),
  Uri: { joinPath: () => ({}) },
  ViewColumn: { Active: 1 },
  window: {
    registerWebviewPanelSerializer: (type: string, restore: Restore) => editor.restores.set(type, restore),
    createWebviewPanel(type: string) {
      editor.opened.push(type);
      return { onDidDispose: () => {}, reveal: () => editor.opened.push('again') };
    },
  },
}));

interface NotesPage extends PageProtocol {
  name: 'notes';
  state: null;
  memory: { folder: string };
  requests: Record<never, never>;
  notifications: Record<never, never>;
}
const filled: object[] = [];
const notesPage = definePage<NotesPage>({
  name: 'notes',
  title: 'Notes',
  key: ({ folder }) => `notes ${folder}`,
  fill: (_, place) => {
    filled.push(place);
    return { dispose() {} };
  },
});
const panels = openPanels({ context: { subscriptions: [] } } as unknown as Parameters<typeof openPanels>[0]);

/** Whether the panel was closed instead. */
async function restored(type: string, state: unknown): Promise<boolean> {
  let closed = false;
  const panel = { dispose: () => (closed = true), onDidDispose: () => {} };
  await editor.restores.get(type)!.deserializeWebviewPanel(panel, state);
  return closed;
}

describe('a panel that the window brings back', () => {
  it.each(panelTypes.map((type) => ({ type })))(
    'of type $type is filled by the page that it remembers',
    async ({ type }) => {
      const place = { page: 'notes', folder: `/w/${type}` };
      expect(await restored(type, place)).toBe(false);
      expect(filled.at(-1)).toEqual(place);
    },
  );

  it.each([{ state: undefined }, { state: { page: 'gone', folder: '/w' } }])(
    'is closed where it remembers $state',
    async ({ state }) => {
      const before = filled.length;
      expect(await restored(panelType, state)).toBe(true);
      expect(filled).toHaveLength(before);
    },
  );

  it('is shown again instead of a second one for its place', () => {
    panels.open(notesPage, { folder: '/w/new' });
    panels.open(notesPage, { folder: '/w/new' });
    expect(editor.opened).toEqual([panelType, 'again']);
  });
});
