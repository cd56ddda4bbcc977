// espalier run and espalier serve, as a person types them.
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { connect, readLockFile } from '../rpc/client';
import { modelFolder, repoRoot } from '../fixtures';
import { espalier as espalierProcess, isRunning, start, until } from './espalier';
import { espalier } from './inProcess';
import { lockPath } from '../../server/protocol/serverLock';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'recipe-commands-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const stories = modelFolder('stories260k');
const text = join(repoRoot, 'media/demo/tinystories.txt');
const written = (name: string, content: string): string => {
  writeFileSync(join(root, name), content);
  return join(root, name);
};

describe('espalier run', () => {
  it('gives the report that the command of its kind gives', async () => {
    const source = `source: { kind: text, files: [${text}], sequences: 4, tokens: 128, field: text }`;
    const file = written(
      'a.yaml',
      `kind: analyze\nmodel: ${stories}\n${source}\nmethods: [blockInfluence]\nstay: true\n`,
    );
    const [recipe, command] = [join(root, 'recipe.json'), join(root, 'command.json')];
    expect(await espalierProcess(['run', file, '--json', recipe, '--quiet'])).toMatchObject({ code: 0, stderr: '' });
    const options = ['--text', text, '--sequences', '4', '--tokens', '128', '--methods', 'blockInfluence'];
    await espalier(['analyze', stories, ...options, '--json', command, '--quiet']);
    const [one, other] = [recipe, command].map((path) => JSON.parse(readFileSync(path, 'utf8')));
    expect(one.methods).toEqual(other.methods);
    expect(one.lossNats).toBe(other.lossNats);
    expect(one.source).toEqual(other.source);
  });

  it('reads what earlier versions called windows, as the command reads --windows', async () => {
    const source = `source: { kind: text, files: [${text}], windows: 2, tokens: 16 }`;
    const file = written('before.yaml', `kind: analyze\nmodel: ${stories}\n${source}\nmethods: [blockInfluence]\n`);
    const command = ['analyze', stories, '--text', text, '--tokens', '16', '--methods', 'blockInfluence'];
    const json = join(root, 'before.json');
    for (const args of [
      ['run', file],
      [...command, '--windows', '2'],
      [...command, '--sequences', '2'],
    ]) {
      expect(await espalier([...args, '--json', json, '--quiet'])).toMatchObject({ code: 0, stderr: '' });
      const { source: taken } = JSON.parse(readFileSync(json, 'utf8'));
      expect(taken).toMatchObject({ nSequences: 2, tokensPerSequence: 16 });
    }
    expect((await espalier(['analyze', '--help'])).stdout).not.toContain('--windows');
    expect((await espalier([...command, '--windows', '0'])).stderr).toContain('must be a whole number of at least 1');
  });

  it('writes beside the recipe where the path is relative', async () => {
    const file = written(
      'p.yaml',
      `kind: prune\nmodel: ${stories}\nrule: { kind: chosen, blocks: [1] }\nout: pruned\n`,
    );
    expect(await espalier(['run', file], tmpdir())).toMatchObject({ code: 0 });
    expect(JSON.parse(readFileSync(join(root, 'pruned/espalier.json'), 'utf8')).keptBlocks).toEqual([0, 2, 3, 4]);
  });

  it.each([
    ['a field that nobody knows', 'kind: prune\nmodel: m\nout: o\nrules: []\n', /w\.yaml:\d+:\d+: /],
    ['no YAML', 'kind: [', /w\.yaml:\d+:\d+: /],
  ])('refuses %s with the place', async (_, content, sentence) => {
    const { code, stdout, stderr } = await espalier(['run', written('w.yaml', content)]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).toMatch(sentence);
  });

  it('refuses a file that is not there', async () => {
    expect(await espalier(['run', join(root, 'none.yaml')])).toMatchObject({
      code: 2,
      stderr: `espalier: ${join(root, 'none.yaml')} cannot be read; give a recipe file.\n`,
    });
  });
});

describe('espalier serve', () => {
  it('says where its lock file lies, answers, and ends with Ctrl-C', async () => {
    const data = join(root, 'data');
    const serving = start(['serve', '--data', data]);
    await until('it listens', () => serving.stderr().includes('listening'));
    const client = await connect(readLockFile(data));
    expect(await client.request('server/status', {})).toMatchObject({ pid: serving.pid, dataFolder: data });
    expect(await espalierProcess(['serve', '--data', data])).toMatchObject({
      code: 0,
      stdout: `Another server works on this folder; ${lockPath(data)} says where.\n`,
    });
    serving.process.kill('SIGINT');
    expect(await serving.ended).toMatchObject({ code: 0, stdout: `${lockPath(data)}\n` });
    expect(existsSync(lockPath(data))).toBe(false);
    expect(isRunning(serving.pid)).toBe(false);
  });
});
