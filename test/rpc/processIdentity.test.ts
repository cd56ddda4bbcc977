// Which process a file's owner was: by number, start, boot and namespace, so that no number of another namespace is taken for
// one of here.
import { spawn, spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import {
  identityOf,
  type ProcessIdentity,
  placeHere,
  placeOn,
  standingOf,
} from '../../server/protocol/processIdentity';

const me = identityOf(process.pid);
const deadPid = spawnSync('true').pid;

it.each<{ what: string; identity: Partial<ProcessIdentity>; here?: string; standing: string }>([
  { what: 'a process that runs', identity: {}, standing: 'lives' },
  { what: 'a process that is gone', identity: { pid: deadPid }, standing: 'gone' },
  { what: 'a number that another process has by now', identity: { started: '1' }, standing: 'gone' },
  { what: 'a number of which the start is not known', identity: { started: '' }, standing: 'unsure' },
  { what: 'a number without a process, start unknown', identity: { started: '', pid: deadPid }, standing: 'gone' },
  { what: 'another boot', identity: { place: 'another' }, standing: 'elsewhere' },
  {
    what: 'a number of another namespace that nobody has here',
    identity: { pid: deadPid },
    here: 'another',
    standing: 'elsewhere',
  },
  { what: 'one of another namespace that somebody has here', identity: {}, here: 'another', standing: 'elsewhere' },
])('$what: $standing', ({ identity, here, standing }) => {
  expect(standingOf({ ...me, ...identity }, here)).toBe(standing);
});

it('a process that is dead and not asked yet how it ended is gone', async () => {
  // The shell becomes a program that never asks about its children.
  const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60']);
  try {
    const pid = Number(await new Promise<Buffer>((resolve) => parent.stdout.once('data', resolve)));
    const identity = { ...identityOf(parent.pid!), pid };
    await expect.poll(() => standingOf(identity)).toBe('gone');
  } finally {
    parent.kill();
  }
});

it.each([
  { what: 'the host by name where the system says nothing', place: () => '', expected: `host ${hostname()}` },
  {
    what: 'the host by name where the system cannot be asked',
    place: () => {
      throw new Error('ENOENT');
    },
    expected: `host ${hostname()}`,
  },
  { what: 'what the system says', place: () => 'boot pid:[1]', expected: 'boot pid:[1]' },
])('the place of a process is $what', ({ place, expected }) => {
  expect(placeOn({ place })).toBe(expected);
});

it.runIf(process.platform === 'linux')('the place names boot and process namespace', () => {
  expect(placeHere()).toMatch(/^[0-9a-f-]{36} pid:\[\d+\]$/);
});
