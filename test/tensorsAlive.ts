// Runs with every test file of the modules: a test that leaves a tensor alive on a device, or a device open, fails. What
// is loaded on demand stays beyond a test, but not beyond its device: weights, and what hooks before all tests have made.
// Engines that tests start inherit the check of programs and tensors through the environment.
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';
import type { Tensor } from '../server/runtime/tensor';

process.env.ESPALIER_CHECK ??= '1';
// `auto` is the CPU without a measurement, whatever devices the machine has.
process.env.ESPALIER_DEVICES ??= fileURLToPath(new URL('./fixtures/devices/software.json', import.meta.url));
const { openDevices } = await import('../server/runtime/trace');

const alive = (): Tensor[] => [...openDevices].flatMap((device) => device.alive());

let before = new Set<Tensor>();
beforeEach(() => void (before = new Set(alive())));
afterEach(() => {
  const left = alive().filter((tensor) => !before.has(tensor) && tensor.role !== 'weight');
  expect(
    left.map(({ role, shape }) => `${role} [${shape}]`),
    'tensors that the test left alive',
  ).toEqual([]);
});
// Of hooks after all tests the first one that was registered runs last.
afterAll(() => expect([...openDevices], 'devices that were not closed').toEqual([]));
