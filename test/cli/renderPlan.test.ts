// How a plan is said: of the host alone, and of a device with memory of its own.
import { describe, expect, it } from 'vitest';
import { renderPlan } from '../../server/cli/render';
import { memoryNeeded, plannedMemory } from '../../webview/planMemory';
import { plan } from '../webview/harness/cases';

const onDevice = {
  ...plan,
  device: 'webgpu',
  memory: 'streaming' as const,
  stayingBlocks: 12,
  deviceMemory: { bytes: { weights: 5e9, states: 0.5e9, activations: 0.25e9 }, totalBytes: 5.75e9, limitBytes: 6e9 },
};

describe('a plan', () => {
  it.each([
    [
      plan,
      'weights resident; about 2.3 min, 1.50 GB of 8.00 GB (weights 550 MB, hidden states 300 MB, activations 400 MB)',
    ],
    [
      onDevice,
      'weights streaming but for 12 blocks that stay; about 2.3 min, 5.75 GB of 6.00 GB on the device ' +
        '(weights 5.00 GB, hidden states 500 MB, activations 250 MB) and 1.50 GB of 8.00 GB beside it',
    ],
  ])('on the terminal', (of, text) => expect(renderPlan(of)).toContain(text));
  it.each([
    [plan, '1.5 GB of 8.0 GB memory', '1.5 GB of memory'],
    [onDevice, '5.8 GB of 6.0 GB on the device, 1.5 GB of 8.0 GB memory', '5.8 GB on the device, 1.5 GB of memory'],
  ])('on a page', (of, planned, needed) => expect([plannedMemory(of), memoryNeeded(of)]).toEqual([planned, needed]));
});
