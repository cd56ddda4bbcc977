// What a machine has to compute on, as `espalier devices --json` writes it and the editor shows it.
import * as z from 'zod';

const adapter = z.strictObject({
  name: z.string(),
  kind: z.enum(['processor', 'discrete', 'integrated', 'virtual', 'software', 'unknown']),
  /** Its own memory, or the machine's where it has none of its own; null: not known. */
  memoryBytes: z.number().nonnegative().nullable(),
  /** Name and version; null: not known. */
  driver: z.string().nullable(),
});
/** A processor, a graphics card, or what stands in for one. */
export type Adapter = z.output<typeof adapter>;

const computeDevice = z.enum(['cpu', 'webgpu', 'cuda']);

const device = z.discriminatedUnion('state', [
  z.strictObject({
    state: z.literal('usable'),
    device: computeDevice,
    adapters: z.array(adapter),
    /** Whether it takes weights that are stored in 16 bits; null: not tried. */
    f16: z.boolean().nullable(),
    /** Floating-point operations per second of a matrix product in float32; null: not measured. */
    operationsPerSecond: z.number().positive().nullable(),
  }),
  z.strictObject({
    /** `failed`: it seemed to be there, and its probe did not end well. */
    state: z.enum(['absent', 'failed']),
    device: computeDevice,
    adapters: z.array(adapter),
    /** Why, and what to do, as the end of a sentence. */
    why: z.string(),
  }),
]);
/** One that recipes can name, whether it can be used or not. The adapter that computes stands first. */
export type DeviceFacts = z.output<typeof device>;

const choice = z.strictObject({ device: z.enum(['cpu', 'webgpu']), reason: z.string() });
/** What `auto` is on this machine, and why, in one sentence. */
export type DeviceChoice = z.output<typeof choice>;

export const devicesReport = z.strictObject({
  devices: z.array(device),
  auto: choice,
  /** What else there is that could compute, and why it does not. */
  notes: z.array(z.string()),
  onnxruntime: z.string(),
});
export type DevicesReport = z.output<typeof devicesReport>;
