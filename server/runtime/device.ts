// One compute device: compiles graphs, keeps tensors, runs. The only door to onnxruntime-node.
import * as ort from 'onnxruntime-node';
import { UserError } from '../errors';
import { emit } from '../graph/emit';
import { type Dtype, type Graph, input, type InputValue, type Shape, size } from '../graph/value';
import { verify } from '../graph/verify';
import { noCounts, type Tensor, type TensorRole, type DeviceCounts } from './tensor';

export type ProviderName = 'cpu' | 'webgpu' | 'cuda';

/** A compiled graph. */
export interface Program {
  readonly name: string;
  readonly inputs: readonly InputValue[];
  readonly outputs: Readonly<Record<string, { readonly shape: Shape; readonly dtype: Dtype }>>;
}

export interface Device {
  readonly provider: ProviderName;
  readonly counts: DeviceCounts;
  /** The program for `key`, compiled on first use. Equal keys must mean equal graphs. */
  program(key: string, build: () => Graph): Promise<Program>;
  /** Hands `data` over to the device. On the CPU it is not copied, so it must not be changed while the tensor lives. */
  upload(data: Float32Array | BigInt64Array, shape: Shape, role: TensorRole): Promise<Tensor>;
  /** Runs a program on the tensors it names; others in `feeds` are ignored. The caller owns the results. */
  run(program: Program, feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  /** Releases all programs, before a model of other shapes. Tensors stay. */
  forgetPrograms(): Promise<void>;
  /** Copies a tensor's elements to the host and counts them. */
  read(tensor: Tensor): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface DeviceOptions {
  readonly provider: ProviderName;
  readonly threads: number;
}

export const runtimeVersion: string = ort.env.versions.node ?? ort.env.versions.common;

/** A device; that its provider is missing shows when the first graph is compiled, as UserError('device'). */
export async function openDevice({ provider, threads }: DeviceOptions): Promise<Device> {
  const counts = noCounts();
  const sessions = new Map<Program, ort.InferenceSession>();
  const programs = new Map<string, Promise<Program>>();
  const held = new WeakMap<Tensor, ort.Tensor>();
  const onDevice = provider !== 'cpu';

  const options: ort.InferenceSession.SessionOptions = {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Every session would keep an arena as large as its largest run; plain allocation is as fast for tensors of megabytes.
    enableCpuMemArena: false,
    // Nor a block for all tensors of a run: one of more than 32 MB goes back to the system and comes anew with every run.
    enableMemPattern: false,
    graphOptimizationLevel: 'all',
    // A node that falls back to the CPU would drag its tensors across on every run: fail instead.
    extra: { session: onDevice ? { disable_cpu_ep_fallback: '1' } : { intra_op: { allow_spinning: '0' } } },
  };

  const compile = async (graph: Graph, stays: boolean): Promise<Program> => {
    const began = performance.now();
    verify(graph);
    const { bytes, inputs } = emit(graph);
    const location = stays && onDevice ? { preferredOutputLocation: 'gpu-buffer' as const } : {};
    const session = await ort.InferenceSession.create(bytes, { ...options, ...location }).catch((error: unknown) => {
      throw new UserError('device', `The ${provider} device cannot run the graph ${graph.name}: ${firstLine(error)}`);
    });
    const program: Program = { name: graph.name, inputs, outputs: graph.outputs };
    sessions.set(program, session);
    counts.compileMs += performance.now() - began;
    return program;
  };
  const cached = (key: string, build: () => Graph, stays = true) => {
    const known = programs.get(key) ?? compile(build(), stays);
    programs.set(key, known);
    return known;
  };
  const identity = (direction: 'upload' | 'read', shape: Shape) =>
    cached(`${direction} ${shape}`, () => ({ name: direction, outputs: { y: input1(shape) } }), direction === 'upload');

  const handle = (tensor: ort.Tensor, shape: Shape, dtype: Dtype, role: TensorRole, release: () => void): Tensor => {
    const made: Tensor = {
      shape,
      dtype,
      role,
      nBytes: size(shape) * (dtype === 'int64' ? 8 : 4),
      dispose() {
        if (held.delete(made)) release();
      },
    };
    held.set(made, tensor);
    return made;
  };
  const ortTensor = (tensor: Tensor | undefined, name: string, program: Program) => {
    const found = tensor && held.get(tensor);
    if (!found)
      throw new Error(`${program.name} needs the tensor ${name}, which was ${tensor ? 'disposed' : 'not given'}`);
    return found;
  };

  const releaseSessions = async () => {
    for (const session of sessions.values()) await session.release();
    sessions.clear();
  };

  return {
    provider,
    counts,
    program: (key, build) => cached(key, build),
    async upload(data, shape, role) {
      counts.uploadedBytes += data.byteLength;
      if (data instanceof BigInt64Array)
        return handle(new ort.Tensor('int64', data, shape), shape, 'int64', role, () => {});
      const host = new ort.Tensor('float32', data, shape);
      if (!onDevice) return handle(host, shape, 'float32', role, () => {});
      const { y } = await sessions.get(await identity('upload', shape))!.run({ x: host });
      return handle(y!, shape, 'float32', role, () => y!.dispose());
    },
    async run(program, feeds) {
      counts.runs++;
      const inputs: Record<string, ort.Tensor> = {};
      for (const { name } of program.inputs) inputs[name] = ortTensor(feeds[name], name, program);
      const session = sessions.get(program)!;
      const results = await session.run(inputs);
      return mapValues(program.outputs, ({ shape, dtype }, name) => {
        const result = results[name]!;
        if (String(result.dims) !== String(shape))
          throw new Error(`${program.name} gave ${name} the shape [${result.dims}] instead of [${shape}]`);
        return handle(result, shape, dtype, 'result', () => result.dispose());
      });
    },
    async read(tensor) {
      counts.readBytes[tensor.role] += tensor.nBytes;
      const found = held.get(tensor);
      if (!found) throw new Error('a disposed tensor cannot be read');
      if (!onDevice) return Float32Array.from(found.data as Float32Array);
      const { y } = await sessions.get(await identity('read', tensor.shape))!.run({ x: found });
      return y!.data as Float32Array;
    },
    async forgetPrograms() {
      programs.clear();
      // A graphics device goes with its last session, and its tensors with it: those sessions stay until the end.
      if (!onDevice) await releaseSessions();
    },
    async close() {
      programs.clear();
      await releaseSessions();
    },
  };
}

const input1 = (shape: Shape) => input('x', shape);

const mapValues = <T, R>(record: Readonly<Record<string, T>>, f: (value: T, key: string) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));

const firstLine = (error: unknown) =>
  String(error instanceof Error ? error.message : error)
    .split('\n')[0]!
    .slice(0, 300);
