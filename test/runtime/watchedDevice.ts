// A device that knows which of its tensors are alive, to see that none is left behind.
import type { Device } from '../../server/runtime/device';
import type { Tensor } from '../../server/runtime/tensor';

/** The device, with every tensor in `live` from when it is made until it is disposed. */
export function watched(real: Device, live: Set<Tensor>): Device {
  const watch = (tensor: Tensor): Tensor => {
    live.add(tensor);
    const { dispose } = tensor;
    tensor.dispose = () => {
      live.delete(tensor);
      dispose.call(tensor);
    };
    return tensor;
  };
  return {
    ...real,
    upload: async (data, shape, role) => watch(await real.upload(data, shape, role)),
    async run(program, feeds) {
      const results = await real.run(program, feeds);
      Object.values(results).forEach(watch);
      return results;
    },
  };
}
