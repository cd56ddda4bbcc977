// Pulling from the editor: what may be typed, and what a link asks for.
import { describe, expect, it, vi } from 'vitest';
import { nameInLink, pullModel, pullTasks, repositoryProblem } from '../../extension/pull';

const asked = vi.hoisted(() => ({ box: [] as { value?: string }[], answer: undefined as string | undefined }));
vi.mock('vscode', () => ({
  workspace: { isTrusted: true },
  window: {
    showInputBox(options: { value?: string }) {
      asked.box.push(options);
      return Promise.resolve(asked.answer);
    },
  },
}));

it.each([
  ['o/n', null],
  ['o/n@v1', null],
  ['', /^"" names no repository of the hub; give OWNER\/NAME/],
  ['o/n@', /^"" is no revision;/],
])('%s may be typed, or is refused', (text, problem) => {
  const found = repositoryProblem(text);
  if (problem === null) expect(found).toBe(null);
  else expect(found).toMatch(problem);
});

it.each([
  ['/pull', 'model=o/n@v1', 'o/n@v1'],
  ['/pull', 'model=..%2F..', '../..'],
  ['/pull', '', null],
  ['/else', 'model=o/n', null],
])('a link to %s with %s fills in %s', (path, query, name) => {
  expect(nameInLink({ path, query })).toBe(name);
});

describe('a pull', () => {
  const host = (folders: string[], requests: object[]) =>
    ({
      settings: { roots: () => folders.map((folder) => ({ folder, kind: 'cache' })) },
      connection: {
        ready: async () => {},
        request: async (method: string, params: object) => requests.push({ method, ...params }),
      },
      context: { secrets: { get: async () => undefined } },
      panels: { openRun() {} },
    }) as never;

  it.each([
    { answer: undefined, recipes: [] },
    { answer: 'o/n@v1', recipes: [{ kind: 'pull', repository: 'o/n', revision: 'v1' }] },
  ])('starts only what a person has said: $answer', async ({ answer, recipes }) => {
    const requests: { recipe?: object }[] = [];
    asked.answer = answer;
    await pullModel(host(['/cache'], requests), 'evil/offer');
    expect(asked.box.at(-1)).toMatchObject({ value: 'evil/offer' });
    expect(requests.map(({ recipe }) => recipe)).toEqual(recipes);
  });

  it('of data asks nothing but the server', async () => {
    const requests: { recipe?: object }[] = [];
    const nBoxes = asked.box.length;
    await pullTasks(host(['/cache'], requests), ['piqa']);
    expect(asked.box).toHaveLength(nBoxes);
    expect(requests.map(({ recipe }) => recipe)).toEqual([{ kind: 'pull', tasks: ['piqa'], revision: 'main' }]);
  });
});
