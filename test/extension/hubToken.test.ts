// The hub's token in the editor: it is asked for without being shown, kept in the secret storage, and goes along with runs that talk
// to the hub alone.
import { beforeEach, expect, it, vi } from 'vitest';
import { isKept, resumeRun, setHubToken, startRun } from '../../extension/hubToken';

const asked = vi.hoisted(() => ({
  box: null as { password?: boolean; validateInput(text: string): string | null } | null,
  answer: undefined as string | undefined,
}));
vi.mock('vscode', () => ({
  window: {
    showInputBox(options: typeof asked.box) {
      asked.box = options;
      return Promise.resolve(asked.answer);
    },
  },
}));

const kept = new Map<string, string>();
const requests: { method: string; hubToken?: string }[] = [];
const host = {
  context: {
    secrets: {
      get: async (key: string) => kept.get(key),
      store: async (key: string, value: string) => void kept.set(key, value),
      delete: async (key: string) => void kept.delete(key),
    },
  },
  connection: { request: async (method: string, params: object) => requests.push({ method, ...params }) },
} as never;
beforeEach(() => {
  requests.length = 0;
});

it.each([
  { answer: ' hf_one ', keeps: 'hf_one' },
  { answer: undefined, keeps: 'hf_one' },
  { answer: '', keeps: undefined },
])('an answer of $answer keeps $keeps', async ({ answer, keeps }) => {
  asked.answer = answer;
  expect(await setHubToken(host)).toBe(keeps !== undefined);
  expect([...kept.values()]).toEqual(keeps === undefined ? [] : [keeps]);
  expect(await isKept(host)).toBe(keeps !== undefined);
  expect(asked.box!.password).toBe(true);
});

it.each([
  ['hf_one', true],
  ['', true],
  ['hf one', false],
  ['hf_ö', false],
])('%s may be typed: %s', (text, ok) => {
  expect(asked.box!.validateInput(text) === null).toBe(ok);
});

it.each([
  { kind: 'publish', token: 'hf_one' },
  { kind: 'pull', token: 'hf_one' },
  { kind: 'pipeline', token: 'hf_one' },
  { kind: 'prune', token: undefined },
])('a run of $kind gets $token', async ({ kind, token }) => {
  asked.answer = 'hf_one';
  await setHubToken(host);
  await startRun(host, { kind } as never);
  await resumeRun(host, { kind, runId: 'r' } as never);
  expect(requests.map(({ hubToken }) => hubToken)).toEqual([token, token]);
});
