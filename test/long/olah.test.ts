// Pulling from olah, a mirror of the hub that others have written, over git repositories on this machine: a model and the data sets
// of all tasks. The cache that this leaves opens in Python's tools without a network, and what an evaluation asks from it is what
// lm-evaluation-harness asks, which fetches the same sets from the same mirror by itself.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadTask, resolveTasks } from '../../server/evaluation/tasks';
import type { TextRequest } from '../../server/evaluation/tasks/task';
import { start } from '../cli/espalier';
import { modelFolder, repoRoot } from '../fixtures';
import { python } from './python';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'olah-')));
const mirrors = join(root, 'mirrors');
const cache = join(root, 'cache');
const tasks = [
  ...[
    'hellaswag',
    'arc_easy',
    'arc_challenge',
    'boolq',
    'piqa',
    'winogrande',
    'openbookqa',
    'lambada_openai',
    'wikitext',
  ],
  ...['mmlu_machine_learning', 'mmlu_high_school_physics'],
];
const timeout = 10 * 60_000;
let endpoint = '';
let olah: ChildProcess | undefined;

const run = promisify(execFile);
async function ask<Answer>(script: string, ...args: string[]): Promise<Answer> {
  const { stdout } = await run(join(repoRoot, 'test/python/run.sh'), [script, ...args], {
    maxBuffer: 1e8,
    env: { ...process.env, HF_HOME: join(root, 'home'), HF_HUB_DISABLE_XET: '1', HF_HUB_DISABLE_TELEMETRY: '1' },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Answer;
}

beforeAll(async () => {
  cpSync(modelFolder('stories260k'), join(mirrors, 'models/o/stories'), { recursive: true });
  await ask('data_sets.py', 'make', join(mirrors, 'datasets'));
  for (const kind of readdirSync(mirrors))
    for (const owner of readdirSync(join(mirrors, kind)))
      for (const name of readdirSync(join(mirrors, kind, owner))) commit(join(mirrors, kind, owner, name));
  endpoint = await startOlah();
  Object.assign(process.env, { HF_ENDPOINT: endpoint, HF_HUB_CACHE: cache });
}, 30 * 60_000);
afterAll(async () => {
  for (const name of ['HF_ENDPOINT', 'HF_HUB_CACHE']) delete process.env[name];
  if (olah?.exitCode === null) {
    const ended = new Promise((resolve) => olah!.once('exit', resolve));
    olah.kill('SIGKILL');
    await ended;
  }
  rmSync(root, { recursive: true, force: true });
});

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.startsWith('.git/'))
    .sort();

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const originals = new Map<string, string>();

/** As on the hub: large files are pointers of Git LFS. */
function commit(folder: string): void {
  for (const path of filesIn(folder)) {
    const bytes = readFileSync(join(folder, path));
    const hash = sha256(bytes);
    originals.set(join(folder, path), hash);
    if (bytes.length < 1000) continue;
    const kept = join(folder, '.git/lfs/objects', hash.slice(0, 2), hash.slice(2, 4), hash);
    mkdirSync(dirname(kept), { recursive: true });
    writeFileSync(kept, bytes);
    writeFileSync(
      join(folder, path),
      `version https://git-lfs.github.com/spec/v1\noid sha256:${hash}\nsize ${bytes.length}\n`,
    );
  }
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args]);
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--quiet', '--message=all');
}

async function startOlah(): Promise<string> {
  const port = await freePort();
  const settings = `[basic]\nmirrors-path = [${JSON.stringify(mirrors)}]\n[accessibility]\noffline = true\n`;
  writeFileSync(join(root, 'olah.toml'), settings);
  const said = openSync(join(root, 'olah.txt'), 'w');
  const options = ['--config', 'olah.toml', '--host', '127.0.0.1', '--port', `${port}`];
  olah = spawn(join(dirname(python), 'olah-cli'), options, { cwd: root, stdio: ['ignore', said, said] });
  closeSync(said);
  const at = `http://127.0.0.1:${port}`;
  await vi.waitFor(async () => expect((await fetch(`${at}/api/models/o/stories/revision/main`)).ok).toBe(true), {
    timeout: 60_000,
    interval: 500,
  });
  return at;
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

const snapshotOf = (folder: string): string =>
  join(folder, 'snapshots', readFileSync(join(folder, 'refs/main'), 'utf8'));

describe('from olah', () => {
  it.each([
    { args: ['o/stories'], kind: 'models', names: ['o/stories'] },
    {
      args: ['--task', tasks.join(',')],
      kind: 'datasets',
      names: ['Rowan/hellaswag', 'allenai/ai2_arc', 'baber/piqa', 'cais/mmlu', 'EleutherAI/lambada_openai'],
    },
  ])('pull $args fetches what the repositories hold', { timeout }, async ({ args, kind, names }) => {
    const { code, stderr } = await start(['pull', ...args, '--quiet'], root).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of names) {
      const snapshot = snapshotOf(join(cache, `${kind}--${name.replace('/', '--')}`));
      expect(filesIn(snapshot), name).toEqual(filesIn(join(mirrors, kind, name)));
      for (const path of filesIn(snapshot))
        expect(sha256(readFileSync(join(snapshot, path))), path).toBe(originals.get(join(mirrors, kind, name, path)));
    }
  });
});

describe('the cache that it leaves', () => {
  it('opens in transformers without a network', { timeout }, async () => {
    const { text } = await ask<{ text: string }>('check_pulled.py', 'offline', 'o/stories');
    expect(text).toMatch(/\w/);
  });

  it('opens in huggingface_hub and datasets without a network', { timeout }, async () => {
    const names = ['Rowan/hellaswag', 'allenai/ai2_arc', 'baber/piqa', 'cais/mmlu'];
    expect(await ask('data_sets.py', 'offline', ...names)).toEqual({
      'Rowan/hellaswag default': { validation: 40, train: 16 },
      'allenai/ai2_arc ARC-Easy': { test: 40, train: 16 },
      'allenai/ai2_arc ARC-Challenge': { test: 40, train: 16 },
      'baber/piqa default': { validation: 40, train: 16 },
      'cais/mmlu machine_learning': { test: 40, dev: 5 },
      'cais/mmlu high_school_physics': { test: 40, dev: 5 },
    });
  });

  it('gives an evaluation the documents of lm-evaluation-harness in its order', { timeout }, async () => {
    for (const shots of [0, 2]) {
      // Pages have no examples.
      const asked = shots === 0 ? tasks : tasks.filter((name) => name !== 'wikitext');
      const theirs = await ask<Record<string, string[][]>>('data_sets.py', 'requests', `${shots}`, ...asked);
      for (const name of asked) {
        const [task] = resolveTasks([name]).tasks;
        const { items } = await loadTask(task!, { data: null, items: null, fewShot: shots });
        expect(
          items.flatMap(({ requests }) => requests.map(textsOf)),
          `${name}, ${shots} examples`,
        ).toEqual(theirs[name]);
      }
    }
  });
});

const textsOf = (request: TextRequest): string[] =>
  request.kind === 'rolling' ? [request.text] : [request.context, request.continuation];
