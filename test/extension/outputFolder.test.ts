import { describe, expect, it } from 'vitest';
import { outputPath, defaultOutput, outputProblem } from '../../extension/panels/outputFolder';
import type { ModelRoot } from '../../extension/trees/modelNodes';

const root = (folder: string, kind: ModelRoot['kind']): ModelRoot => ({ folder, givenAs: folder, name: folder, kind });
const workspace = root('/w', 'workspace');
const roots = [workspace, root('/models', 'settings'), root('/hub', 'cache')];
const disk = new Set(['/w', '/w/tiny', '/w/tiny-pruned', '/w/sub', '/models', '/models/big']);
const exists = (path: string) => disk.has(path);

describe('where a pruned model goes', () => {
  it.each<{ name: string; model: string; roots: ModelRoot[]; parent: string; folder: string }>([
    { name: 'beside the model, under a free name', model: '/w/tiny', roots, parent: '/w', folder: 'tiny-pruned-2' },
    { name: 'beside a model of the settings', model: '/models/big', roots, parent: '/models', folder: 'big-pruned' },
    {
      name: 'into the workspace, for a model of the cache',
      model: '/hub/models--owner--large/snapshots/0123abc',
      roots,
      parent: '/w',
      folder: 'large-pruned',
    },
    {
      name: 'into the workspace, where the settings name the model itself',
      model: '/one/model',
      roots: [workspace, root('/one/model', 'settings')],
      parent: '/w',
      folder: 'model-pruned',
    },
  ])('$name', ({ model, roots: given, parent, folder }) => {
    expect(defaultOutput(model, given, exists)).toEqual({ parent, name: folder });
  });

  it.each<{ text: string; refusal: RegExp | null; out?: string }>([
    { text: 'small', refusal: null, out: '/w/small' },
    { text: ' small ', refusal: null, out: '/w/small' },
    { text: 'sub/small', refusal: null, out: '/w/sub/small' },
    { text: '/models/small', refusal: null, out: '/models/small' },
    { text: '  ', refusal: /Give a name/ },
    { text: 'a:b', refusal: /Give a name/ },
    { text: 'tiny-pruned', refusal: /tiny-pruned is there already/ },
    { text: '.', refusal: /Choose a place in the workspace/ },
    { text: '../small', refusal: /Choose a place in the workspace/ },
    { text: '/hub/small', refusal: /Choose a place in the workspace/ },
    { text: 'none/small', refusal: /no folder \/w\/none to write into/ },
  ])('"$text" is refused: $refusal', ({ text, refusal, out }) => {
    const said = outputProblem('/w', text, roots, exists);
    if (refusal) expect(said).toMatch(refusal);
    else {
      expect(said).toBeNull();
      expect(outputPath('/w', text)).toBe(out);
    }
  });
});
