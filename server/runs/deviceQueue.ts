// One heavy job at a time on a device, in the order of arrival. Warm engines are evicted before a job starts.
import type { Recipe } from '../recipes/kinds';

export interface Job {
  /** Ends when the device is free again. Never rejects. */
  start(): Promise<void>;
}

/** The device that a recipe computes on; null: it needs none. */
export function deviceOf(recipe: Recipe): string | null {
  if (!('compute' in recipe)) return null;
  return recipe.compute.device === 'auto' ? 'cpu' : recipe.compute.device;
}

export type DeviceQueue = ReturnType<typeof openDeviceQueue>;

/** @param evictFrom ends the warm engines of a device; the next job waits for it */
export function openDeviceQueue(evictFrom: (device: string) => Promise<void>) {
  const waiting = new Map<string, Job[]>();
  const busy = new Set<string>();
  let open = true;

  const next = async (device: string) => {
    if (busy.has(device)) return;
    busy.add(device);
    for (let job = waiting.get(device)?.shift(); open && job; job = waiting.get(device)?.shift()) {
      await evictFrom(device);
      await job.start();
    }
    busy.delete(device);
  };
  return {
    add(device: string | null, job: Job): void {
      if (!open) return;
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
