// One job at a time on a device, and the jobs on `auto` among those of the device that it is.
import { expect, it } from 'vitest';
import type { Recipe } from '../../server/recipes/kinds';
import { openDeviceQueue } from '../../server/runs/deviceQueue';

const on = (device: string) => ({ kind: 'perplexity', compute: { device } }) as Recipe;
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A queue, the names of the jobs that were started, and how to end each of them. */
function opened(auto: () => Promise<string>) {
  const started: string[] = [];
  const end = new Map<string, () => void>();
  const queue = openDeviceQueue(async () => {}, auto);
  const job = (name: string) => ({
    start: () =>
      new Promise<void>((resolve) => {
        started.push(name);
        end.set(name, resolve);
      }),
  });
  return { queue, started, end, job };
}

it('jobs on auto wait for those on the device that it is, and for no others', async () => {
  const { queue, started, end, job } = opened(async () => 'webgpu');
  queue.add(on('auto'), job('auto'));
  queue.add(on('cpu'), job('cpu'));
  await settled();
  queue.add(on('webgpu'), job('webgpu'));
  await settled();
  expect(started.sort()).toEqual(['auto', 'cpu']);
  end.get('auto')!();
  await settled();
  expect(started.sort()).toEqual(['auto', 'cpu', 'webgpu']);
});

it('jobs that are removed, or outlive the queue, before auto is known are never started', async () => {
  let decide: (device: string) => void = () => {};
  const { queue, started, job } = opened(() => new Promise((resolve) => (decide = resolve)));
  const removed = job('removed');
  queue.add(on('auto'), removed);
  expect(queue.remove(removed)).toBe(true);
  decide('cpu');
  await settled();
  queue.add(on('auto'), job('closed'));
  queue.close();
  decide('cpu');
  await settled();
  expect(queue.remove(removed)).toBe(false);
  expect(started).toEqual([]);
});

it('a job that needs no device starts at once', () => {
  const { queue, started, job } = opened(() => new Promise(() => {}));
  queue.add({ kind: 'inspect', model: '/m' } as Recipe, job('inspect'));
  expect(started).toEqual(['inspect']);
});
