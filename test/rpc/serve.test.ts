// `espalier serve` as a person types it.
import { onTestFinished, expect, it } from 'vitest';
import { espalier, isRunning } from '../cli/espalier';
import { connect, readServerLock, temporaryFolder } from './client';

it('starts a server that outlives it, finds it again, and ends it', async () => {
  const folder = temporaryFolder();
  onTestFinished(() => void espalier(['serve', '--data', folder, '--stop']));
  const first = await espalier(['serve', '--data', folder, '--idle', '30']);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  const lock = readServerLock(folder);
  expect(first.stdout).toBe(
    `espalier server ${lock.build}, process ${lock.pid}, 127.0.0.1:${lock.port}, data in ${folder}\n`,
  );
  expect(first.stdout).not.toContain(lock.token);
  expect((await (await connect(lock)).ask('server/status', {})).dataFolder).toBe(folder);

  const second = await espalier(['serve', '--data', folder]);
  expect(second.stdout).toContain(`process ${lock.pid}`);
  expect(second.stdout).toContain('was there already');

  const third = await espalier(['serve', '--data', folder, '--stop']);
  expect(third).toMatchObject({ code: 0, stderr: '' });
  expect(third.stdout).toContain('has ended');
  expect(isRunning(lock.pid)).toBe(false);
  expect((await espalier(['serve', '--data', folder, '--stop'])).stdout).toBe(`No server serves ${folder}.\n`);
});
