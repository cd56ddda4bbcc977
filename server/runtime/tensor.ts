// Tensors as the rest of the program sees them: handles that may live on a device. Their elements are not reachable from
// a handle; Device.read brings them back, and counts it.
import type { Dtype, Shape } from '../graph/value';

/** What a tensor is for; read-backs are counted by it. */
export type TensorRole = 'weight' | 'table' | 'result';

export interface Tensor {
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly nBytes: number;
  readonly role: TensorRole;
  /** Gives the memory back; the handle must not be used after it. Harmless when called twice. */
  dispose(): void;
}

/** What a device did, and what crossed between host and device. */
export interface DeviceCounts {
  uploadedBytes: number;
  /** Bytes brought back to the host, by role. Weights are never brought back. */
  readBytes: Record<TensorRole, number>;
  runs: number;
  compileMs: number;
}

export const noCounts = (): DeviceCounts => ({
  uploadedBytes: 0,
  readBytes: { weight: 0, table: 0, result: 0 },
  runs: 0,
  compileMs: 0,
});
