// Where a server keeps its runs: odd places are refused in one sentence, at once, with nothing changed there.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeDataFolder } from '../../server/rpc/dataFolder';
import { serve } from '../../server/rpc/serve';
import { program } from '../cli/espalier';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'data-folder-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string) => join(root, name);
const serveIn = (dataFolder: string) => serve({ dataFolder, idleSeconds: 60, log() {}, signal: AbortSignal.abort() });

const modeOf = (path: string) => {
  try {
    return lstatSync(path).mode;
  } catch {
    return null;
  }
};

describe.skipIf(process.platform !== 'linux')('a data folder', () => {
  const rows: { what: string; place: () => string; why: RegExp }[] = [
    {
      what: 'a file',
      place() {
        writeFileSync(at('file'), '');
        return at('file');
      },
      why: /file cannot hold runs \(it, or a part of its path, is a file\); give another folder with --data\.$/,
    },
    { what: 'below a file', place: () => at('file/below'), why: /is a file/ },
    {
      what: 'a pipe',
      place() {
        execFileSync('mkfifo', [at('pipe')]);
        return at('pipe');
      },
      why: /is a file/,
    },
    { what: 'in /proc', place: () => '/proc/espalier/data', why: /no folder can be made there/ },
    { what: '/proc', place: () => '/proc', why: /others may read it, and it holds|may not write/ },
    { what: 'in /sys', place: () => '/sys/espalier', why: /may not write there|read-only/ },
    { what: 'a device', place: () => '/dev/null', why: /is a file/ },
    { what: 'a name that is too long', place: () => at('x'.repeat(300)), why: /its name is too long/ },
    { what: 'a path that is too long', place: () => at('y/'.repeat(3000)), why: /its name is too long/ },
    {
      what: 'a circle of links',
      place() {
        symlinkSync(at('circle'), at('circle'));
        return at('circle');
      },
      why: /its links go in circles/,
    },
    {
      what: 'a link to nothing',
      place() {
        symlinkSync(at('nowhere'), at('dangling'));
        return at('dangling');
      },
      why: /a link there leads nowhere/,
    },
    {
      what: 'a folder of other things that others may read',
      place() {
        mkdirSync(at('shared'));
        chmodSync(at('shared'), 0o755);
        writeFileSync(at('shared/thesis.txt'), '');
        return at('shared');
      },
      why: /shared cannot hold runs \(others may read it, and it holds thesis\.txt\)/,
    },
    {
      what: 'one with a file in the place of runs',
      place() {
        mkdirSync(at('half'), { mode: 0o700 });
        writeFileSync(at('half/runs'), '');
        return at('half');
      },
      why: /is a file/,
    },
  ];
  it.each(rows)('is refused: $what', async ({ place, why }) => {
    const folder = place();
    const before = modeOf(folder);
    await expect(serveIn(folder)).rejects.toMatchObject({ code: 'cannotWrite', message: expect.stringMatching(why) });
    expect(modeOf(folder)).toBe(before);
  });

  it('on a full or read-only disk is refused', async ({ skip }) => {
    const disk = at('disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      if (process.env.CI === 'true') throw new Error('under CI every test has to run, and this one needs root');
      skip('mounting needs root');
    }
    try {
      execFileSync('sh', ['-c', `dd if=/dev/zero of="${disk}/server.log" bs=4096 2> /dev/null || true`]);
      await expect(serveIn(disk)).rejects.toMatchObject({ message: expect.stringContaining('the disk is full') });
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      await expect(serveIn(join(disk, 'new'))).rejects.toMatchObject({ message: expect.stringMatching(/read-only/) });
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  it('is made for its owner alone, wherever it lies from here', () => {
    const before = process.cwd();
    mkdirSync(at('cwd'));
    process.chdir(at('cwd'));
    try {
      makeDataFolder('deep/data');
    } finally {
      process.chdir(before);
    }
    expect(readdirSync(at('cwd/deep/data'))).toEqual(['runs']);
    expect(statSync(at('cwd/deep/data')).mode & 0o777).toBe(0o700);
    chmodSync(at('cwd/deep/data'), 0o755);
    makeDataFolder(at('cwd/deep/data'));
    expect(statSync(at('cwd/deep/data')).mode & 0o777).toBe(0o700);
  });
});

describe.skipIf(process.platform !== 'linux')('without a home folder', () => {
  const run = (args: string[], env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [program, ...args], { env, encoding: 'utf8' });
  it.each([
    { what: 'an empty one', env: { HOME: '' } },
    { what: 'one that is no path, and data that are none', env: { HOME: 'here', XDG_DATA_HOME: 'there' } },
  ])('serve asks for a folder, and what needs none works: $what', ({ env }) => {
    expect(run(['--version'], env)).toMatchObject({ status: 0, stderr: '' });
    expect(run(['serve'], env)).toMatchObject({
      status: 2,
      stderr: 'espalier: There is no home folder to keep runs in; give a folder with --data.\n',
    });
  });
});
