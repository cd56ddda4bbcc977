// What NVIDIA's own program says of its cards. Pure.
import type { Adapter } from '../protocol/devices';

/** Comma-separated, a card a line, memory in MiB. */
export const nvidiaSmiArguments = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader,nounits'];

/** A card that shares the machine's memory has `[N/A]`. Sentences about what failed hold no such line. */
export function readNvidiaSmi(text: string): Adapter[] {
  return text.split('\n').flatMap((line) => {
    const [, name, memory, driver] = /^\s*([^,]+?)\s*,\s*(\d+|\[.*\])\s*,\s*(\d[\d.]*)\s*$/.exec(line) ?? [];
    if (!name) return [];
    const memoryBytes = /^\d+$/.test(memory!) ? Number(memory) * 2 ** 20 : null;
    return [{ name, kind: 'discrete', memoryBytes, driver: `NVIDIA ${driver}` }];
  });
}
