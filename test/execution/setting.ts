// What tests of execution share: a device for the tests of a file, and a model on it for the time of some work.
import { afterAll, beforeAll } from 'vitest';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { type MemoryPlan, planExecution } from '../../server/execution/memoryPlan';
import type { Model } from '../../server/execution/model';
import { plannedStore } from '../../server/execution/plannedStore';
import type { ModelConfig } from '../../server/model/config';
import { type Device, openDevice } from '../../server/runtime/device';
import { modelFolder } from '../fixtures';

/** Open while the tests of the file run; the function gives it. */
export function deviceOfFile(threads: number): () => Device {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ provider: 'cpu', threads });
  });
  afterAll(() => device.close());
  return () => device;
}

export interface ModelSetting {
  readonly folder: string;
  readonly nSequences: number;
  readonly tokensPerSequence: number;
  /** What is otherwise than in the plan that is made for it; resident where it says nothing. */
  readonly plan: Partial<MemoryPlan>;
  /** What is otherwise than in the model's config. */
  readonly config?: Partial<ModelConfig>;
}

export async function withModelOn<T>(
  device: Device,
  { folder, nSequences, tokensPerSequence, plan: changes, config: changed = {} }: ModelSetting,
  body: (model: Model) => Promise<T>,
): Promise<T> {
  const checkpoint = await openCheckpoint(folder);
  const config = { ...checkpoint.config, ...changed };
  const memory = changes.mode ?? 'resident';
  const request = { nSequences, tokensPerSequence, keepStates: false, memory, limitBytes: 8e9 };
  const plan = { ...planExecution(config, request), ...changes };
  const store = plannedStore(checkpoint, device, plan);
  try {
    return await body({ checkpoint: { ...checkpoint, config }, config, device, store, plan });
  } finally {
    store[Symbol.dispose]();
    await checkpoint.close();
  }
}

/** What became of some work on stories260k, and how many tensors it left on the device. */
export async function leftBy<T>(
  device: Device,
  setting: Omit<ModelSetting, 'folder'>,
  work: (model: Model) => Promise<T>,
) {
  return withModelOn(device, { folder: modelFolder('stories260k'), ...setting }, async (model) => {
    const outcome = await work(model);
    return { outcome, left: device.alive().filter(({ role }) => role !== 'weight').length };
  });
}
