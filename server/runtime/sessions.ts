// Compiled graphs: onnxruntime's sessions, the options that they run with, and the cache of programs by key.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { UserError } from '../errors';
import { emit } from '../graph/emit';
import { insideBytes } from '../graph/insideBytes';
import type { Dtype, Graph, InputValue, Shape } from '../graph/value';
import { verify } from '../graph/verify';
import { deviceFailure, firstLine } from './deviceFailure';
import { openProgramCheck } from './programCheck';
import { type GraphBuilder, openProgramKeys } from './programKey';
import type { DeviceCounts } from './tensor';
import { checksPrograms, profileFolder } from './trace';

export type ProviderName = 'cpu' | 'webgpu' | 'cuda';

export interface DeviceOptions {
  readonly provider: ProviderName;
  readonly threads: number;
}

/** A compiled graph. */
export interface Program {
  readonly name: string;
  readonly inputs: readonly InputValue[];
  readonly outputs: Readonly<Record<string, { readonly shape: Shape; readonly dtype: Dtype }>>;
  /** The most bytes that a run takes beside its inputs, its outputs counted. */
  readonly insideBytes: number;
}

export interface Sessions {
  /** @param where results lie: on the device, or on the host, where they can be read */
  compile(graph: Graph, where: 'device' | 'host'): Promise<Program>;
  /** The program of a function and its arguments, compiled on first use. */
  cached(build: GraphBuilder, args: readonly unknown[], where: 'device' | 'host'): Promise<Program>;
  run(program: Program, inputs: Record<string, ort.Tensor>): Promise<ort.InferenceSession.OnnxValueMapType>;
  forget(): Promise<void>;
  close(): Promise<void>;
}

export function openSessions({ provider, threads }: DeviceOptions, counts: DeviceCounts): Sessions {
  const sessions = new Map<Program, ort.InferenceSession>();
  const programs = new Map<string, Promise<Program>>();
  const keys = openProgramKeys();
  const check = checksPrograms ? openProgramCheck() : null;
  const onDevice = provider !== 'cpu';
  const options = sessionOptions(provider, threads);

  const compile: Sessions['compile'] = async (graph, where) => {
    const began = performance.now();
    verify(graph);
    const { bytes, inputs } = emit(graph);
    const location = where === 'device' && onDevice ? { preferredOutputLocation: 'gpu-buffer' as const } : {};
    const profile = profiling(graph.name, sessions.size);
    const session = await ort.InferenceSession.create(bytes, { ...options, ...location, ...profile }).catch((error) => {
      throw new UserError(
        'device',
        `The ${provider} device cannot run the graph ${graph.name}: ${firstLine(String(error instanceof Error ? error.message : error))}`,
      );
    });
    const program: Program = { name: graph.name, inputs, outputs: graph.outputs, insideBytes: insideBytes(graph) };
    sessions.set(program, session);
    counts.compileMs += performance.now() - began;
    return program;
  };
  const release = async () => {
    for (const session of sessions.values()) {
      if (profileFolder()) session.endProfiling();
      await session.release();
    }
    sessions.clear();
  };
  return {
    compile,
    cached(build, args, where) {
      const key = keys.of(build, args);
      const known = programs.get(key);
      if (known) counts.programHits++;
      else counts.programMisses++;
      check?.(key, build, args);
      const program = known ?? compile(build(...args), where);
      programs.set(key, program);
      return program;
    },
    run: (program, inputs) =>
      sessions
        .get(program)!
        .run(inputs)
        .catch((error: unknown) => {
          throw deviceFailure(provider, program.name, error, counts);
        }),
    async forget() {
      programs.clear();
      // A graphics device goes with its last session, and its tensors with it: those sessions stay until the end.
      if (!onDevice) await release();
    },
    async close() {
      programs.clear();
      await release();
    },
  };
}

function sessionOptions(provider: ProviderName, threads: number): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Every session would keep an arena as large as its largest run; plain allocation is as fast for tensors of megabytes.
    enableCpuMemArena: false,
    // Nor a block for all tensors of a run: one of more than 32 MB goes back to the system and comes anew with every run.
    enableMemPattern: false,
    graphOptimizationLevel: 'all',
    // A node that falls back to the CPU would drag its tensors across on every run: fail instead.
    extra: { session: provider === 'cpu' ? { intra_op: { allow_spinning: '0' } } : { disable_cpu_ep_fallback: '1' } },
  };
}

/** Where onnxruntime writes what each node of a graph took, if that is asked for; a file per session. */
function profiling(graphName: string, index: number): ort.InferenceSession.SessionOptions {
  const folder = profileFolder();
  if (!folder) return {};
  mkdirSync(folder, { recursive: true });
  return { enableProfiling: true, profileFilePrefix: join(folder, `${process.pid}-${index}-${graphName}`) };
}
