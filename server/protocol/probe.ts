// Between who wants a device measured and the process that does it, over IPC. Types only.

export interface ProbeRequest {
  readonly device: 'cpu' | 'webgpu';
}

export type ProbeReply =
  | { readonly kind: 'measured'; readonly operationsPerSecond: number; readonly f16: boolean }
  /** What the runtime said, in one line. */
  | { readonly kind: 'failed'; readonly message: string };
