// What can be seen of the engine from outside, by variables of its environment:
// - ESPALIER_TRACE=1 has each device say at its end, on standard error, what it ran, compiled, moved and held.
// - ESPALIER_PROFILE=FOLDER has onnxruntime write there, for every compiled graph, how long each of its nodes took, in
//   Chrome's trace format (chrome://tracing, ui.perfetto.dev). It slows everything down.
// - ESPALIER_CHECK=1, for tests: a program that is found under its key is built again and compared with the first one, and a
//   device that is closed while one of its tensors is alive fails.
import { stderr } from '../terminal';
import type { DeviceCounts, Tensor } from './tensor';

/** Devices that were not closed yet: tests look whether one is forgotten, and what its tests have left on it. */
export const openDevices = new Set<{ alive(): readonly Tensor[] }>();

export const checksPrograms = process.env.ESPALIER_CHECK === '1';

export const profileFolder = (): string | undefined => process.env.ESPALIER_PROFILE || undefined;

/** Writes the line of a device that ends, where that is asked for. */
export function traceEnd(provider: string, counts: DeviceCounts): void {
  if (process.env.ESPALIER_TRACE) stderr.line(traceLine(provider, counts));
}

export function traceLine(provider: string, counts: DeviceCounts): string {
  const { runs, programHits, programMisses, compileMs, uploadedBytes, readBytes, liveTensors, peakBytes } = counts;
  const read = Object.values(readBytes).reduce((sum, n) => sum + n, 0);
  return (
    `trace ${provider}: ${runs} runs; programs ${programHits} hits, ${programMisses} misses, ` +
    `${Math.round(compileMs)} ms compiling; ${megabytes(uploadedBytes)} uploaded, ${megabytes(read)} read; ` +
    `tensors ${megabytes(peakBytes)} at the peak, ${liveTensors} alive at the end`
  );
}

/** Throws an Error, in tests, where tensors are alive that nobody will give back. */
export function expectNoneAlive(alive: readonly Tensor[]): void {
  if (process.env.ESPALIER_CHECK !== '1' || alive.length === 0) return;
  const some = alive.slice(0, 5).map(({ role, dtype, shape }) => `${role} ${dtype} [${shape}]`);
  throw new Error(`${alive.length} tensors were alive when their device was closed: ${some.join(', ')}`);
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
