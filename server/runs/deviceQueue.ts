// One heavy job at a time on a device, in the order of arrival. Warm engines are evicted before a job starts.
import type { Recipe } from '../recipes/kinds';

export interface Job {
  /** Ends when the device is free again. Never rejects. */
  start(): Promise<void>;
}

/** What `auto` is on this machine. Never rejects. */
export type AutoDevice = () => Promise<string>;

/** The device that a recipe computes on; null: it needs none. A promise where that may have to be measured first. */
export function deviceOf(recipe: Recipe, auto: AutoDevice): string | null | Promise<string> {
  if (!('compute' in recipe)) return null;
  return recipe.compute.device === 'auto' ? auto() : recipe.compute.device;
}

export type DeviceQueue = ReturnType<typeof openDeviceQueue>;

/** @param evictFrom ends the warm engines of a device; the next job waits for it */
export function openDeviceQueue(evictFrom: (device: string) => Promise<void>, auto: AutoDevice) {
  /** Jobs whose device is not known yet. */
  const undecided = new Set<Job>();
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
  const join = (device: string, job: Job) => {
    waiting.set(device, [...(waiting.get(device) ?? []), job]);
    void next(device);
  };
  return {
    add(recipe: Recipe, job: Job): void {
      if (!open) return;
      const device = deviceOf(recipe, auto);
      if (device === null) return void job.start();
      if (typeof device === 'string') join(device, job);
      else {
        undecided.add(job);
        void device.then((decided) => {
          if (undecided.delete(job)) join(decided, job);
        });
      }
    },
    /** False when it was not waiting any more. */
    remove(job: Job): boolean {
      if (undecided.delete(job)) return true;
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
      undecided.clear();
      waiting.clear();
    },
  };
}
