// What people are told of a device that fails, from what onnxruntime, Dawn and drivers say.
import { describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import { deviceFailure } from '../../server/runtime/deviceFailure';
import { noCounts } from '../../server/runtime/tensor';

const counts = { ...noCounts(), liveBytes: 1_234_567_890 };
const said = (provider: string, message: string) => deviceFailure(provider, 'block', new Error(message), counts);

describe('of a graphics device', () => {
  const full =
    /^The memory of the webgpu device ran out with 1235 MB of tensors on it; give --device-memory .*resume it/;
  const lost = /^The webgpu device was lost in the middle of the run.*run it again, or resume it/;
  const rows: [string, string, RegExp][] = [
    [
      'a buffer that is too large',
      'WebGPU validation failed. Buffer size (1572864000) exceeds the max buffer size limit (1073741824).\n - While calling [Device].CreateBuffer([BufferDescriptor]).',
      full,
    ],
    [
      'a buffer that was not made',
      'WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.',
      full,
    ],
    ['Vulkan without memory', 'vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY', full],
    ['Direct3D without memory', 'CreateCommittedResource failed with E_OUTOFMEMORY (0x8007000E)', full],
    ['onnxruntime without a buffer', 'Failed to create GPU buffer: size=16, usage=140.', full],
    ['Vulkan that lost it', 'vkQueueSubmit failed with VK_ERROR_DEVICE_LOST', lost],
    ['Direct3D that lost it', 'Device removed reason: DXGI_ERROR_DEVICE_HUNG (0x887A0006)', lost],
    ['Dawn that lost it', 'Failed to download data from buffer: Device was lost.', lost],
    [
      'something else',
      'Non-zero status code returned while running Gemm\nmore',
      /^The webgpu device failed in the graph block: Non-zero status code returned while running Gemm$/,
    ],
  ];
  it.each(rows)('%s', (_, message, sentence) => {
    const error = said('webgpu', message);
    expect(isUserError(error) && error.code).toBe('device');
    expect((error as Error).message).toMatch(sentence);
  });
});

describe('of the processor', () => {
  it('memory that ran out', () =>
    expect(String(said('cpu', 'std::bad_alloc'))).toMatch(
      /The memory ran out with 1235 MB of tensors in it; .*--memory-limit/,
    ));
  it('a defect of ours stays one', () => {
    const error = said('cpu', 'Got invalid dimensions for input: x');
    expect([isUserError(error), String(error)]).toEqual([false, 'Error: Got invalid dimensions for input: x']);
  });
});
