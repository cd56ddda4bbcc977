// What a person is told where a device fails during a run: that its memory ran out, that it was lost, or what it said.
import { UserError } from '../errors';
import type { DeviceCounts } from './tensor';

/** As onnxruntime, Dawn and the drivers below it say it. A buffer that could not be made shows at its first use. */
const outOfMemory =
  /out of (device |host )?memory|OUT_OF_(DEVICE|HOST|POOL)_MEMORY|OUTOFMEMORY|not enough memory|bad_alloc|failed to (allocate|create GPU buffer)|exceeds the max buffer size|invalid (buffer|bindgroup)|is invalid due to a previous error/i;
const lost =
  /device (is|was) (already )?lost|device.{0,20}(lost|removed|hung|reset)|DEVICE_(LOST|REMOVED|HUNG|RESET)|invalid device/i;

/**
 * @param provider where the run was, `webgpu`
 * @param error what it threw; a defect of ours, such as a graph that was fed wrongly, stays one on the CPU
 */
export function deviceFailure(provider: string, graph: string, error: unknown, counts: DeviceCounts): unknown {
  const said = String(error instanceof Error ? error.message : error);
  const held = `${Math.ceil(counts.liveBytes / 1e6)} MB of tensors`;
  if (lost.test(said))
    return new UserError(
      'device',
      `The ${provider} device was lost in the middle of the run, as after a reset of its driver; run it again, ` +
        'or resume it where it is a healing or a study.',
    );
  if (outOfMemory.test(said))
    return new UserError(
      'device',
      provider === 'cpu'
        ? `The memory ran out with ${held} in it; close other programs, give --memory-limit less than there is, or use fewer --tokens, and run it again.`
        : `The memory of the ${provider} device ran out with ${held} on it; give --device-memory less than it has, or use fewer --tokens, and run it again, ` +
            'or resume it where it is a healing or a study.',
    );
  if (provider === 'cpu') return error;
  return new UserError('device', `The ${provider} device failed in the graph ${graph}: ${firstLine(said)}`);
}

export const firstLine = (said: string) => said.split('\n')[0]!.slice(0, 300);
