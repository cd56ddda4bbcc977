// How fast each device of each host was measured to be, in DATA/speed.json: runs measure it, and plans are estimated with it.
import { hostname } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import type { Plan } from '../protocol/engine';
import { readJson, replaceFile } from './jsonFile';

export function openSpeeds(dataFolder: string) {
  const file = join(dataFolder, 'speed.json');
  const read = () => {
    const found = readJson(file);
    return speedSchema.catch({}).parse(found.kind === 'read' ? found.value : {});
  };
  return {
    /** Keeps what a run has measured. Without a place on disk the estimates are missing, and nothing else. */
    remember({ device, operationsPerSecond }: Plan): void {
      if (operationsPerSecond === undefined) return;
      try {
        replaceFile(file, { ...read(), [nameOf(device)]: operationsPerSecond });
      } catch {}
    },
    /** null: no run has measured it yet. */
    operationsPerSecond: (device: string): number | null => read()[nameOf(device)] ?? null,
  };
}

const nameOf = (device: string): string => `${device} of ${hostname()}`;

/** Operations per second, by device. */
const speedSchema = z.record(z.string(), z.number().positive());
