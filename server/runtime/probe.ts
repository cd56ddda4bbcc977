// What a device can do, seen by trying it: how fast it multiplies matrices, and whether it widens weights of 16 bits.
import { cpus } from 'node:os';
import { toFloat } from '../graph/ops/elementwise';
import { type Graph, input } from '../graph/value';
import type { ProbeReply, ProbeRequest } from '../protocol/probe';
import { type Device, openDevice } from './device';
import { blockProducts, measureOperationsPerSecond } from './speed';

/** Throws UserError('device') for one that computes nothing. */
export async function probe(device: ProbeRequest['device']): Promise<ProbeReply> {
  const opened = await openDevice({ provider: device, threads: cpus().length });
  try {
    return {
      kind: 'measured',
      operationsPerSecond: await measureOperationsPerSecond(opened, products),
      f16: await widensHalves(opened),
    };
  } finally {
    await opened.close();
  }
}

/** A fast card is measured at a product that keeps it busy. */
const products = [...blockProducts, [1024, 4096]] as const;

const nHalves = 64;

async function widensHalves(device: Device): Promise<boolean> {
  using scope = device.scope();
  try {
    const program = await scope.program(widened);
    const x = await scope.upload(new Uint16Array(nHalves).fill(0x3c00), [nHalves], 'table');
    const { y } = await scope.run(program, { x });
    return (await scope.read(y!)).every((one) => one === 1);
  } catch {
    return false;
  }
}

const widened = (): Graph => ({ name: 'halves', outputs: { y: toFloat(input('x', [nHalves], 'float16')) } });
