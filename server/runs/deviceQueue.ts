// One heavy job at a time on a device, first come, first served. An engine that only stays for questions gives way.
import type { Recipe } from '../recipes/kinds';

export interface Job {
  /** Ends when the device is free again. Never rejects. */
  start(): Promise<void>;
}

/** What a recipe computes on; null: on nothing that could be taken. */
export function deviceOf(recipe: Recipe): string | null {
  if (recipe.kind === 'inspect') return null;
  return recipe.compute.device === 'auto' ? 'cpu' : recipe.compute.device;
}

/** @param makeRoom ends what stays on a device; the next job waits for it */
export function openDeviceQueue(makeRoom: (device: string) => Promise<void>) {
  const waiting = new Map<string, Job[]>();
  const busy = new Set<string>();
  let open = true;

  const next = async (device: string) => {
    if (busy.has(device)) return;
    busy.add(device);
    for (let job = waiting.get(device)?.shift(); open && job; job = waiting.get(device)?.shift()) {
      await makeRoom(device);
      await job.start();
    }
    busy.delete(device);
  };
  return {
    add(device: string | null, job: Job): void {
      if (device === null) return void job.start();
      waiting.set(device, [...(waiting.get(device) ?? []), job]);
      void next(device);
    },
    /** False when it was not waiting any more. */
    remove(job: Job): boolean {
      for (const jobs of waiting.values()) {
        const at = jobs.indexOf(job);
        if (at >= 0) {
          jobs.splice(at, 1);
          return true;
        }
      }
      return false;
    },
    /** Starts nothing from now on. */
    close(): void {
      open = false;
      waiting.clear();
    },
  };
}
