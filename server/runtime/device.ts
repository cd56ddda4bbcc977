// One compute device: compiles graphs, makes tensors in scopes, runs. With sessions.ts the only door to onnxruntime-node.
import * as ort from 'onnxruntime-node';
import { reshape } from '../graph/ops/movement';
import { bytesPerElement, type Dtype, type Graph, input, type Shape, size } from '../graph/value';
import { type Owner, openOwner } from './ownership';
import { type DeviceOptions, openSessions, type Program, type ProviderName, type Sessions } from './sessions';
import {
  type DeviceCounts,
  dtypeOfHost,
  type HostNumbers,
  noCounts,
  type Tensor,
  type TensorRole,
  type Tensors,
} from './tensor';
import { expectNoneAlive, openDevices, traceEnd } from './trace';

/**
 * A part of the program that makes tensors. It owns what is made in it, and gives that back at its end: after the last use,
 * or when something is thrown. Held by `using`:
 *
 *     using scope = device.scope();
 *     const { hiddenOut } = await scope.run(program, feeds); // given back with the scope
 *     device.adopt(hiddenOut); // unless the scope around takes it over
 */
export interface Scope extends Disposable {
  readonly provider: ProviderName;
  readonly counts: DeviceCounts;
  /**
   * The program of the graph that `build` makes of `args`, compiled on first use. The key is the function's name and its
   * arguments as JSON (programKey.ts), so the graph may depend on nothing else.
   */
  program<Args extends readonly unknown[]>(build: (...args: Args) => Graph, ...args: Args): Promise<Program>;
  /** Compiles a graph that is used by its one holder. */
  compile(graph: Graph): Promise<Program>;
  /**
   * Hands `data` over to the device; 16 bits are halves. On the CPU it is not copied, so it must not be changed while the
   * tensor lives.
   */
  upload(data: HostNumbers, shape: Shape, role: TensorRole): Promise<Tensor>;
  /** Runs a program on the tensors it names; others in `feeds` are ignored. */
  run(program: Program, feeds: Tensors): Promise<Record<string, Tensor>>;
  /** Copies a tensor's elements to the host and counts them. */
  read(tensor: Tensor): Promise<Float32Array>;
  /** The same for float64, which the CPU alone has. */
  readDoubles(tensor: Tensor): Promise<Float64Array>;
  /** A scope inside this one, which ends with it at the latest. */
  scope(): Scope;
  /** Takes tensors over from the scopes that own them. */
  adopt(...tensors: readonly (Tensor | undefined)[]): void;
  /** Gives tensors back before the scope ends, where they are large. Does nothing to those of other scopes. */
  release(...tensors: readonly (Tensor | undefined)[]): void;
}

/** The outermost scope. */
export interface Device extends Scope {
  readonly limits: DeviceLimits;
  /** Tensors of all scopes that were not given back. */
  alive(): readonly Tensor[];
  /** Releases all programs, before a model of other shapes. Tensors stay. */
  forgetPrograms(): Promise<void>;
  close(): Promise<void>;
}

/** What a device takes. */
export interface DeviceLimits {
  /** The most bytes of one tensor; absent: any. */
  readonly largestTensorBytes?: number;
}

/**
 * WebGPU promises that every adapter binds a buffer of 128 MiB to a kernel. onnxruntime does not tell whether one takes more,
 * and nothing is gained by it.
 */
const limitsOfProvider: Readonly<Record<ProviderName, DeviceLimits>> = {
  cpu: {},
  webgpu: { largestTensorBytes: 2 ** 27 },
  cuda: {},
};

export const runtimeVersion: string = ort.env.versions.node ?? ort.env.versions.common;

/** A device; that its provider is missing shows when the first graph is compiled, as UserError('device'). */
export async function openDevice(options: DeviceOptions): Promise<Device> {
  const counts = noCounts();
  const sessions = openSessions(options, counts);
  const owner = openOwner(counts);
  const outermost = scopeOf({ provider: options.provider, counts, sessions, held: new WeakMap() }, owner);
  const device: Device = {
    ...outermost,
    limits: limitsOfProvider[options.provider],
    alive: owner.alive,
    forgetPrograms: sessions.forget,
    async close() {
      openDevices.delete(device);
      const alive = owner.alive();
      owner.end();
      await sessions.close();
      traceEnd(options.provider, { ...counts, liveTensors: alive.length });
      expectNoneAlive(alive);
    },
  };
  openDevices.add(device);
  return device;
}

/** What all scopes of a device have in common. */
interface Shared {
  readonly provider: ProviderName;
  readonly counts: DeviceCounts;
  readonly sessions: Sessions;
  readonly held: WeakMap<Tensor, ort.Tensor>;
}

function scopeOf(shared: Shared, owner: Owner): Scope {
  const { provider, counts, sessions, held } = shared;
  const onDevice = provider !== 'cpu';
  const own = (tensor: ort.Tensor, kind: Omit<Tensor, 'nBytes'>, release: () => void): Tensor => {
    const made: Tensor = { ...kind, nBytes: size(kind.shape) * bytesPerElement[kind.dtype] };
    held.set(made, tensor);
    return owner.own(made, () => {
      held.delete(made);
      release();
    });
  };
  const heldTensor = (tensor: Tensor | undefined, name: string, program: Program): ort.Tensor => {
    const found = tensor && held.get(tensor);
    if (!found)
      throw new Error(`${program.name} needs the tensor ${name}, which was ${tensor ? 'given back' : 'not given'}`);
    return found;
  };
  const toRead = (tensor: Tensor, dtype: Dtype): ort.Tensor => {
    const found = held.get(tensor);
    if (!found) throw new Error('a tensor that was given back cannot be read');
    if (tensor.dtype !== dtype) throw new Error(`a tensor of ${tensor.dtype} cannot be read as ${dtype}`);
    counts.readBytes[tensor.role] += tensor.nBytes;
    return found;
  };
  return {
    provider,
    counts,
    program: (build, ...args) => sessions.cached(build, args, 'device'),
    compile: (graph) => sessions.compile(graph, 'device'),
    async upload(data, shape, role) {
      counts.uploadedBytes += data.byteLength;
      const dtype = dtypeOfHost(data);
      const host = hostTensor(dtype, data, shape);
      // Integers are fed from the host: there are few of them.
      if (!onDevice || dtype === 'int64') return own(host, { shape, dtype, role }, () => {});
      const { y } = await sessions.run(await sessions.cached(uploaded, [shape, dtype], 'device'), { x: host });
      return own(y as ort.Tensor, { shape, dtype, role }, () => y!.dispose());
    },
    async run(program, feeds) {
      counts.runs++;
      counts.peakWithInsideBytes = Math.max(counts.peakWithInsideBytes, counts.liveBytes + program.insideBytes);
      const inputs: Record<string, ort.Tensor> = {};
      for (const { name } of program.inputs) inputs[name] = heldTensor(feeds[name], name, program);
      const results = await sessions.run(program, inputs);
      return mapValues(program.outputs, ({ shape, dtype }, name) => {
        const result = results[name] as ort.Tensor;
        if (String(result.dims) !== String(shape))
          throw new Error(`${program.name} gave ${name} the shape [${result.dims}] instead of [${shape}]`);
        return own(result, { shape, dtype, role: 'result' }, () => result.dispose());
      });
    },
    async read(tensor) {
      const found = toRead(tensor, 'float32');
      if (!onDevice) return (found.data as Float32Array).slice();
      const { y } = await sessions.run(await sessions.cached(readBack, [tensor.shape], 'host'), { x: found });
      return y!.data as Float32Array;
    },
    readDoubles: async (tensor) => (toRead(tensor, 'float64').data as Float64Array).slice(),
    scope: () => scopeOf(shared, owner.inner()),
    adopt: owner.adopt,
    release: owner.release,
    [Symbol.dispose]: owner.end,
  };
}

/**
 * onnxruntime's JavaScript makes a Float16Array of halves where there is one, from Node 24 on, and its native part takes that for empty: it
 * is shown the bits as they were given.
 */
function hostTensor(dtype: Dtype, data: HostNumbers, shape: Shape): ort.Tensor {
  const tensor = new ort.Tensor(dtype, data as Float32Array, shape);
  return dtype === 'float16' ? Object.defineProperty(tensor, 'data', { value: data }) : tensor;
}

/** Through these graphs elements go to a graphics device, and float32 ones come back. Bytes need an op that takes them. */
const uploaded = (shape: Shape, dtype: Dtype): Graph => {
  const x = input('x', shape, dtype);
  return { name: 'upload', outputs: { y: dtype === 'uint8' ? reshape(x, shape) : x } };
};
const readBack = (shape: Shape): Graph => ({ name: 'read', outputs: { y: input('x', shape) } });

const mapValues = <T, R>(record: Readonly<Record<string, T>>, f: (value: T, key: string) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));
