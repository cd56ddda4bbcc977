// What was measured of a machine's devices, kept in the user's cache folder under a key that names the machine, its drivers and
// the version of onnxruntime. Whatever is in the way of keeping it, it is measured again.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { UserError } from '../errors';
import { cacheFolder } from '../files/cacheFolder';
import { replaceText } from '../files/replaceText';
import { type DevicesReport, devicesReport } from '../protocol/devices';
import { findGraphicsCards } from './graphicsCards';
import type { System } from './system';
import type { VulkanDrivers } from './vulkanDrivers';

/** A probe that failed may have met a driver that was busy: it is tried again after a day. */
const failureMs = 24 * 3_600_000;
/** Home folders are shared by many machines. */
const mostEntries = 50;

const entries = z.record(z.string(), z.object({ measuredAtEpochMs: z.number(), report: devicesReport }));

/** Changes with whatever may change the speed of a device, and with nothing else. */
export function deviceKey(system: System, { loader, drivers }: VulkanDrivers): string {
  const { platform, processor, release, onnxruntime, environment } = system;
  const variables = Object.entries(environment).filter(([name]) => /^(VK_|MESA_|CUDA_VISIBLE_DEVICES$)/.test(name));
  const facts = {
    ...{ platform, processor, onnxruntime, loader },
    // Where drivers cannot be seen they come with the system.
    release: platform === 'linux' ? release.split(' ').at(-1) : release,
    drivers: drivers.map(({ library, path }) => [library, path, path && system.mark(path)]),
    cards: findGraphicsCards(system).map(({ id, kernelDriver }) => [id, kernelDriver]),
    nvidia: system.read('/proc/driver/nvidia/version'),
    variables: variables.sort(([a], [b]) => (a < b ? -1 : 1)),
  };
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 24);
}

export function openMeasuredDevices(folder = cacheFolder()) {
  const file = folder && join(folder, 'devices.json');
  const read = (): z.output<typeof entries> => {
    try {
      return entries.parse(JSON.parse(readFileSync(file ?? '', 'utf8')));
    } catch {
      return {};
    }
  };
  return {
    /** null: not measured yet. */
    find(key: string): DevicesReport | null {
      const entry = read()[key];
      if (!entry) return null;
      const isOld = Date.now() - entry.measuredAtEpochMs > failureMs;
      return isOld && entry.report.devices.some(({ state }) => state === 'failed') ? null : entry.report;
    },
    keep(key: string, report: DevicesReport): void {
      const newest = Object.entries({ ...read(), [key]: { measuredAtEpochMs: Date.now(), report } })
        .sort(([, a], [, b]) => b.measuredAtEpochMs - a.measuredAtEpochMs)
        .slice(0, mostEntries);
      if (file === null) return;
      try {
        mkdirSync(dirname(file), { recursive: true });
        replaceText(file, JSON.stringify(Object.fromEntries(newest)));
      } catch {} // measured again the next time
    },
  };
}

/** A report of `espalier devices --json` that counts in the place of what would be measured (ESPALIER_DEVICES). */
export function readGivenDevices(file: string): DevicesReport {
  try {
    return devicesReport.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    throw new UserError(
      'badData',
      `ESPALIER_DEVICES names ${file}, which is no report of espalier devices --json; write one, or unset the variable.`,
    );
  }
}
