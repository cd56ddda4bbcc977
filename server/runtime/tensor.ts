// Tensors as the rest of the program sees them: handles that may live on a device. Their elements are not reachable from
// a handle; Scope.read brings them back, and counts it. A tensor belongs to a scope (scope.ts), which gives it back.
import type { Dtype, Shape } from '../graph/value';

/** What a tensor is for; read-backs are counted by it. */
export type TensorRole = 'weight' | 'table' | 'result';

export interface Tensor {
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly nBytes: number;
  readonly role: TensorRole;
}

/** Tensors by the names of the inputs that they feed, or of the outputs that they are. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Elements as the host hands them over. */
export type HostNumbers = Float32Array | Float64Array | BigInt64Array | Uint16Array | Uint8Array;

export const dtypeOfHost = (data: HostNumbers) =>
  data instanceof Float32Array
    ? 'float32'
    : data instanceof Float64Array
      ? 'float64'
      : data instanceof BigInt64Array
        ? 'int64'
        : data instanceof Uint16Array
          ? 'float16'
          : 'uint8';

/** What a device did, and what crossed between host and device. */
export interface DeviceCounts {
  uploadedBytes: number;
  /** Bytes brought back to the host, by role. Weights are never brought back. */
  readBytes: Record<TensorRole, number>;
  runs: number;
  compileMs: number;
  /** How often a program was asked for that was compiled already, and that was not. */
  programHits: number;
  programMisses: number;
  /** Tensors that are alive, their bytes, and the most bytes that were alive at a time. */
  liveTensors: number;
  liveBytes: number;
  peakBytes: number;
  /** The same with what a running program held beside the tensors. */
  peakWithInsideBytes: number;
}

export const noCounts = (): DeviceCounts => ({
  uploadedBytes: 0,
  readBytes: { weight: 0, table: 0, result: 0 },
  runs: 0,
  compileMs: 0,
  programHits: 0,
  programMisses: 0,
  liveTensors: 0,
  liveBytes: 0,
  peakBytes: 0,
  peakWithInsideBytes: 0,
});
