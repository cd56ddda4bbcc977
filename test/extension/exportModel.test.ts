// Exporting from the editor: nothing is started before a person has said how and where.
import { describe, expect, it, vi } from 'vitest';
import { exportModel } from '../../extension/exportModel';

const answers = vi.hoisted(() => ({ type: undefined as string | undefined, place: undefined as string | undefined }));
const offered = vi.hoisted(() => ({ types: [] as string[], places: [] as string[] }));
vi.mock('vscode', () => ({
  Uri: { file: (fsPath: string) => ({ fsPath }) },
  workspace: {
    workspaceFolders: [{ uri: { fsPath: '/models' } }],
    getWorkspaceFolder: ({ fsPath }: { fsPath: string }) => (fsPath.startsWith('/models/') ? {} : undefined),
  },
  window: {
    async showQuickPick(items: { label: string }[]) {
      offered.types = items.map(({ label }) => label);
      return items.find(({ label }) => label === answers.type);
    },
    async showSaveDialog({ defaultUri }: { defaultUri: { fsPath: string } }) {
      offered.places.push(defaultUri.fsPath);
      return answers.place && { fsPath: answers.place };
    },
  },
}));

describe('an export', () => {
  it.each([
    { type: undefined, place: '/models/m.gguf', recipes: [] },
    { type: 'q4_0', place: undefined, recipes: [] },
    {
      type: 'q8_0',
      place: '/models/m.gguf',
      recipes: [{ kind: 'export', model: '/models/tiny', gguf: 'q8_0', out: '/models/m.gguf' }],
    },
  ])('as $type to $place is started, or not', async ({ type, place, recipes }) => {
    const requests: object[] = [];
    const opened: unknown[] = [];
    const host = {
      connection: {
        ready: async () => {},
        async request(_: string, { recipe }: { recipe: object }) {
          requests.push(recipe);
          return 'a run';
        },
      },
      panels: { openRun: (run: unknown) => opened.push(run) },
    };
    Object.assign(answers, { type, place });
    await exportModel(host as never, '/models/tiny');
    expect(requests).toEqual(recipes);
    expect(opened).toEqual(recipes.map(() => 'a run'));
    expect(offered.types).toEqual(['f16', 'q8_0', 'q4_0']);
    if (type) expect(offered.places.at(-1)).toBe(`/models/tiny-${type}.gguf`);
  });

  it('of a model in the cache of the hub is offered in the workspace, by the name of the model', async () => {
    Object.assign(answers, { type: 'f16', place: undefined });
    await exportModel({} as never, '/cache/hub/models--o--stories/snapshots/0123');
    expect(offered.places.at(-1)).toBe('/models/o-stories-f16.gguf');
  });
});
